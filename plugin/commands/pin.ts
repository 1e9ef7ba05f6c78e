import { PluginError } from '../errors.ts';
import type { Kube } from '../kube.ts';
import type { Snapshot } from '../objects.ts';
import type { Command } from './command.ts';
import { isSnapshotId, snapshotNamed } from './find.ts';

export const pin: Command = (context) => setPinned(context, true);
export const unpin: Command = (context) => setPinned(context, false);

async function setPinned({ args, kube, terminal }: Parameters<Command>[0], pinned: boolean): Promise<void> {
  const [text = ''] = args.operands;
  const { metadata } = isSnapshotId(text) ? await shownAs(kube, text) : await snapshotNamed(kube, text);
  const changed = await kube.mergePatch<Snapshot>('snapshots', metadata.name, { spec: { pinned } });
  if (terminal.forPrograms) return terminal.document(changed);
  terminal.line(`snapshot.jvs.io/${metadata.name} ${pinned ? 'pinned' : 'not pinned any more'}`);
}

/** The Snapshot of an id on a volume. What a Workspace began with has the id that it had in the one it came from. */
async function shownAs(kube: Kube, id: string): Promise<Snapshot> {
  const shown = (await kube.list<Snapshot>('snapshots')).filter(
    ({ spec, status }) => (status?.snapshotID ?? spec.snapshotID) === id,
  );
  if (new Set(shown.map(({ spec }) => spec.workspace)).size > 1) {
    const names = shown.map(({ metadata, spec }) => `${metadata.name} of ${spec.workspace}`);
    throw new PluginError(
      `${id} is on the volumes of several Workspaces`,
      `name the Snapshot: ${names.join(', ')}`,
    );
  }
  const [found] = shown;
  if (found) return found;
  throw new PluginError(
    `no Snapshot in namespace ${kube.namespace} shows ${id}`,
    `if it is older than those that are shown, make a Snapshot with spec.snapshotID: ${id} and spec.pinned: true`,
  );
}
