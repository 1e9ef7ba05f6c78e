import type { Restore } from '../objects.ts';
import { ask, type Request } from './ask.ts';
import type { Command, Context } from './command.ts';
import { snapshotIdOf, workspaceNamed } from './find.ts';

export const restore: Command = (context) => {
  const { args } = context;
  const [workspace] = args.operands;
  const spec = {
    worktree: args.text('worktree'),
    ...(args.flag('no-pre-restore-snapshot') && { preRestoreSnapshot: false }),
  };
  return askFor(context, spec, ({ status: { worktree = 'main', snapshotID, preRestoreSnapshotID } = {} }) => {
    const option = worktree === 'main' ? '' : ` --worktree ${worktree}`;
    return [
      `${worktree} is at ${snapshotID}`,
      ...(preRestoreSnapshotID
        ? [`to undo it: kubectl jvs restore ${workspace} ${preRestoreSnapshotID}${option}`]
        : []),
    ];
  });
};

export const fork: Command = (context) => {
  const [, , newWorktree = ''] = context.args.operands;
  return askFor(context, { newWorktree }, ({ status }) => [
    `worktree ${newWorktree} is made of ${status?.snapshotID}`,
    `pods with annotation jvs.io/worktree: ${newWorktree} work in it`,
  ]);
};

async function askFor(context: Context, spec: object, said: Request<Restore>['said']): Promise<void> {
  const { args, kube } = context;
  const [workspace = '', snapshot = ''] = args.operands;
  await workspaceNamed(kube, workspace);
  // The id, not the name: it says what was restored when the Snapshot has long gone.
  const snapshotID = await snapshotIdOf(kube, workspace, snapshot);
  await ask<Restore>(context, {
    plural: 'restores',
    kind: 'Restore',
    metadata: { generateName: `${workspace}-` },
    spec: { workspace, snapshotID, ...spec },
    success: 'Completed',
    said,
  });
}
