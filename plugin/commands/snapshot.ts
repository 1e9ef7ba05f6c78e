import type { Snapshot } from '../objects.ts';
import { formatBytes } from '../render/units.ts';
import { ask } from './ask.ts';
import type { Command } from './command.ts';
import { workspaceNamed } from './find.ts';

export const snapshot: Command = async (context) => {
  const { args, kube } = context;
  const [workspace = ''] = args.operands;
  await workspaceNamed(kube, workspace);
  const name = args.text('name');
  const tags = args.texts('tag');
  await ask<Snapshot>(context, {
    plural: 'snapshots',
    kind: 'Snapshot',
    metadata: name === undefined ? { generateName: `${workspace}-` } : { name },
    spec: {
      workspace,
      note: args.text('note'),
      template: args.text('template'),
      worktree: args.text('worktree'),
      ...(tags.length > 0 && { tags }),
    },
    success: 'Ready',
    said: ({ status: { snapshotID, size = 0, uniqueBytes = 0 } = {} }) => [
      `${snapshotID}, ${formatBytes(size)}, ${formatBytes(uniqueBytes)} of it new`,
    ],
  });
};
