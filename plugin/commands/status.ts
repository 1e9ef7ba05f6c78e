import type { Workspace } from '../objects.ts';
import { printable, type Span } from '../render/table.ts';
import { formatAge, formatBytes } from '../render/units.ts';
import type { Terminal } from '../terminal.ts';
import type { Command } from './command.ts';
import { workspaceNamed } from './find.ts';

export const status: Command = async ({ args, kube, terminal }) => {
  const [name] = args.operands;
  if (name !== undefined) {
    const workspace = await workspaceNamed(kube, name);
    return terminal.forPrograms ? terminal.document(workspace) : describe(workspace, terminal);
  }
  const workspaces = await kube.list<Workspace>('workspaces');
  if (terminal.forPrograms) return terminal.document(workspaces);
  if (workspaces.length === 0) terminal.note(`no Workspaces in namespace ${kube.namespace}`);
  else overview(workspaces, terminal);
};

function overview(workspaces: readonly Workspace[], terminal: Terminal): void {
  const { now, wide } = terminal;
  const titles = ['NAME', 'STATUS', 'SNAPSHOTS', 'LAST', 'NEXT', 'WORKTREES', 'USED', 'SIZE', 'AGE'];
  terminal.table(
    [...titles, ...(wide ? ['ENGINE', 'AGENT', 'NODE', 'VERSION'] : [])],
    workspaces.map(({ metadata, spec, status = {} }) => [
      metadata.name,
      [phaseOf(status.phase)],
      String(status.snapshotCount ?? 0),
      formatAge(status.lastSnapshotTime, now),
      formatAge(status.nextSnapshotTime, now),
      status.worktrees?.map(({ name }) => name).join(','),
      status.usedBytes === undefined ? '' : formatBytes(status.usedBytes),
      spec.storage,
      formatAge(metadata.creationTimestamp, now),
      ...(wide ? [status.effectiveEngine, status.agent?.pod, status.agent?.node, status.agent?.version] : []),
    ]),
  );
}

function describe({ metadata, spec, status = {} }: Workspace, terminal: Terminal): void {
  const { now } = terminal;
  const { agent, usedBytes, capacityBytes } = status;
  const last = status.lastSnapshotTime ? `, last ${formatAge(status.lastSnapshotTime, now)} ago` : '';
  const next = status.nextSnapshotTime ? `, next ${formatAge(status.nextSnapshotTime, now)}` : '';
  const used =
    usedBytes !== undefined && capacityBytes
      ? `, ${formatBytes(usedBytes)} of ${formatBytes(capacityBytes)} used`
      : '';
  const facts: [string, (string | Span)[]][] = [
    ['Workspace', [`${metadata.namespace}/${metadata.name}`]],
    ['Status', [phaseOf(status.phase), ...(status.message ? [`: ${printable(status.message)}`] : [])]],
    ['Snapshots', [`${status.snapshotCount ?? 0}${last}${next}`]],
    ['Volume', [`${spec.storage ?? ''}${used}`]],
    ['Engine', [status.effectiveEngine ?? '']],
    [
      'Agent',
      agent?.pod
        ? [
            `pod ${agent.pod} on node ${agent.node ?? '?'}, version ${agent.version ?? '?'}, heard of ${formatAge(agent.lastSeen, now)} ago`,
          ]
        : ['none'],
    ],
  ];
  for (const [title, spans] of facts) terminal.line(`${title}:`.padEnd(11), ...spans);
  if (status.worktrees?.length) {
    terminal.line();
    terminal.table(
      ['WORKTREE', 'HEAD', 'NEWEST', 'MADE OF'],
      status.worktrees.map(({ name, head, latest, base }) => [name, head, latest, base]),
    );
  }
  if (status.conditions?.length) {
    terminal.line();
    terminal.table(
      ['CONDITION', 'STATUS', 'REASON', 'MESSAGE'],
      status.conditions.map(({ type, status, reason, message }) => [
        type,
        [wrong(type, status) ? { text: status, style: 'red' } : status],
        reason,
        printable(message ?? ''),
      ]),
    );
  }
}

/** Nothing is wrong with a Workspace that has no schedule. */
const wrong = (type: string, status: string) =>
  type !== 'Scheduled' && status === (type === 'Degraded' ? 'True' : 'False');

function phaseOf(phase = 'Pending'): string | Span {
  if (phase === 'Ready') return { text: phase, style: 'green' };
  return phase === 'Failed' ? { text: phase, style: 'red' } : { text: phase, style: 'yellow' };
}
