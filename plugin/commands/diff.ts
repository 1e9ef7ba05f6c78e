import { UsageError } from '../../shared/command-line.ts';
import type { DiffEntry } from '../../shared/proto/gen/jvs/agent/v1/DiffEntry.ts';
import type { Kube } from '../kube.ts';
import { printable, type Span } from '../render/table.ts';
import { formatBytes } from '../render/units.ts';
import type { Command } from './command.ts';
import { agentPod, snapshotIdOf, workspaceNamed } from './find.ts';

const signs = {
  CHANGE_ADDED: { word: 'added', sign: '+', style: 'green' },
  CHANGE_REMOVED: { word: 'removed', sign: '-', style: 'red' },
  CHANGE_MODIFIED: { word: 'modified', sign: '~', style: 'yellow' },
  CHANGE_UNSPECIFIED: { word: 'unknown', sign: '?', style: 'reset' },
} as const;

export const diff: Command = async ({ args, kube, terminal }) => {
  const [name = '', from = '', to] = args.operands;
  const worktree = args.text('worktree');
  if (to !== undefined && worktree !== undefined) throw new UsageError('diff: give TO or --worktree');
  const workspace = await workspaceNamed(kube, name);
  const request = {
    from: await snapshotIdOf(kube, name, from),
    ...(to === undefined ? { worktree: worktree ?? 'main' } : { to: await snapshotIdOf(kube, name, to) }),
  };
  const counts = { CHANGE_ADDED: 0, CHANGE_REMOVED: 0, CHANGE_MODIFIED: 0, CHANGE_UNSPECIFIED: 0 };
  const changes: object[] = [];
  await eachChange(kube, await agentPod(kube, workspace), request, (entry) => {
    counts[entry.change] += 1;
    if (terminal.forPrograms) changes.push({ ...entry, change: signs[entry.change].word });
    else terminal.line(...lineOf(entry));
  });
  if (terminal.forPrograms) return terminal.document({ workspace: name, ...request, changes });
  const { CHANGE_ADDED: added, CHANGE_REMOVED: removed, CHANGE_MODIFIED: modified } = counts;
  terminal.note(`${added} added, ${removed} removed, ${modified} modified`);
};

async function eachChange(
  kube: Kube,
  pod: string,
  request: object,
  seen: (entry: DiffEntry) => void,
): Promise<void> {
  const { withAgent } = await import('../agent.ts');
  await withAgent(kube, pod, async (agent) => {
    for await (const entry of agent.diff(request)) seen(entry as DiffEntry);
  });
}

/** `~  1.0 KiB → 2.0 KiB  conf.yaml` */
export function lineOf({ change, path, sizeBefore, sizeAfter, type }: DiffEntry): (string | Span)[] {
  const { sign, style } = signs[change];
  const before = change === 'CHANGE_ADDED' ? '' : formatBytes(sizeBefore);
  const after = change === 'CHANGE_REMOVED' ? '' : formatBytes(sizeAfter);
  const sizes = `${before.padStart(10)} ${before && after ? '→' : ' '} ${after.padStart(10)}`;
  const end = type === 'directory' ? '/' : '';
  return [
    { text: sign, style },
    ` ${type === 'file' ? sizes : ' '.repeat(sizes.length)}  `,
    { text: `${printable(path)}${end}`, style },
  ];
}
