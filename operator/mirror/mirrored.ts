// The Snapshot resource that shows a snapshot which nobody made a resource for. Pure.
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { apiVersion } from '../api/parse.ts';
import { type Snapshot, snapshotSpecSchema } from '../api/snapshot.ts';
import type { Workspace } from '../api/workspace.ts';

export const originLabel = 'jvs.io/origin';
export const workspaceLabel = 'jvs.io/workspace';

const noteBytes = 32 * 1024;
const maxTags = 64;
const { worktree, engine, tags, snapshotID } = snapshotSpecSchema.shape;

/** Sorts as the snapshots were made, and is the same whoever makes it and however often. */
export const mirrorName = (workspace: string, id: string): string => `${workspace}-${id}`;

/** Made by the operator; one that a user makes to show a snapshot has another name. */
export const isMirror = ({ metadata, spec }: Snapshot): boolean =>
  spec.snapshotID !== undefined && metadata.name === mirrorName(spec.workspace, spec.snapshotID);

export const canBeShown = ({ id }: DiskSnapshot): boolean => snapshotID.safeParse(id).success;

/** What of the snapshot the API can not take is left out: its descriptor on the volume is the truth. */
export function mirrorOf({ metadata }: Workspace, onDisk: DiskSnapshot): Snapshot {
  const { name, namespace, uid } = metadata;
  const ownTags = [...new Set(onDisk.tags)].filter((tag) => tags.safeParse([tag]).success).slice(0, maxTags);
  const note = cut(onDisk.note, noteBytes);
  const worktreeOf = worktree.safeParse(onDisk.worktree);
  const engineOf = engine.safeParse(onDisk.effectiveEngine || undefined);
  return {
    apiVersion,
    kind: 'Snapshot',
    metadata: {
      name: mirrorName(name, onDisk.id),
      namespace,
      labels: {
        [workspaceLabel]: name,
        ...(/^[a-z-]{1,63}$/.test(onDisk.origin) && { [originLabel]: onDisk.origin }),
      },
      ownerReferences: [{ apiVersion, kind: 'Workspace', name, uid: uid ?? '' }],
    },
    spec: {
      workspace: name,
      snapshotID: onDisk.id,
      ...(note && { note }),
      ...(ownTags.length > 0 && { tags: ownTags }),
      ...(engineOf.data && { engine: engineOf.data }),
      worktree: worktreeOf.data ?? 'main',
      restoreOnCreate: false,
      pinned: false,
      // The window moves and namespaces go; neither is a reason to lose data.
      deletionPolicy: 'Retain',
    },
  };
}

/** At most so many bytes of UTF-8, with no character cut in two. */
function cut(text: string, bytes: number): string {
  const all = Buffer.from(text);
  if (all.length <= bytes) return text;
  return new TextDecoder().decode(all.subarray(0, bytes), { stream: true });
}
