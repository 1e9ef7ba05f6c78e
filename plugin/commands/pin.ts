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

/** The Snapshot of an id on a volume. */
async function shownAs(kube: Kube, id: string): Promise<Snapshot> {
  const found = (await kube.list<Snapshot>('snapshots')).find(
    ({ spec, status }) => (status?.snapshotID ?? spec.snapshotID) === id,
  );
  if (found) return found;
  throw new PluginError(
    `no Snapshot in namespace ${kube.namespace} shows ${id}`,
    `if it is older than those that are shown, make a Snapshot with spec.snapshotID: ${id} and spec.pinned: true`,
  );
}
