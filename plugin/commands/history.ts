import { wholeNumber } from '../../shared/command-line.ts';
import { ofWorktree } from '../../shared/history.ts';
import { explain } from '../errors.ts';
import { entriesOfAgent, entriesOfCluster, type HistoryEntry, worktreesOfAgent } from '../history.ts';
import type { Kube } from '../kube.ts';
import type { Snapshot, Workspace, Worktree } from '../objects.ts';
import { timeline } from '../render/graph.ts';
import { historyTable } from '../render/history.ts';
import type { Command } from './command.ts';
import { agentPod, workspaceNamed } from './find.ts';

const PAGE = 1000;

interface Known {
  entries: HistoryEntry[];
  worktrees: Worktree[];
  from: { source: 'agent'; pod: string } | { source: 'cluster'; because: string };
}

export const history: Command = async ({ args, kube, terminal }) => {
  const [name = ''] = args.operands;
  const limit = wholeNumber(args, 'limit');
  const workspace = await workspaceNamed(kube, name);
  const { entries, worktrees, from } = await lookUp(kube, workspace);
  const worktree = args.text('worktree');
  const head = worktrees.find(({ name }) => name === worktree)?.head;
  const asked = worktree === undefined ? entries : ofWorktree(worktree, head, entries);
  const snapshots = timeline(asked).slice(0, limit);
  if (terminal.forPrograms) return terminal.document({ workspace: name, ...from, worktrees, snapshots });
  terminal.note(
    from.source === 'agent'
      ? `${snapshots.length} of ${entries.length} snapshots on the volume, from the agent in pod ${from.pod}`
      : `${snapshots.length} of ${entries.length} snapshots that the cluster shows, there may be more on the volume: ${from.because}`,
  );
  terminal.table(...historyTable(snapshots, worktrees, terminal));
};

/** From the agent, which knows them all; from the cluster, which shows the newest, where no agent is reached. */
async function lookUp(kube: Kube, workspace: Workspace): Promise<Known> {
  const { name } = workspace.metadata;
  const shown = (await kube.list<Snapshot>('snapshots')).filter(({ spec }) => spec.workspace === name);
  try {
    const pod = await agentPod(kube, workspace);
    const { call, withAgent } = await import('../agent.ts');
    return await withAgent(kube, pod, async (agent) => {
      const { worktrees } = await call(agent, agent.getStatus, {});
      const listed = [];
      let pageToken = '';
      do {
        const page = await call(agent, agent.listSnapshots, { pageSize: PAGE, pageToken });
        listed.push(...page.snapshots);
        pageToken = page.nextPageToken;
      } while (pageToken);
      return {
        entries: entriesOfAgent(listed, shown),
        worktrees: worktreesOfAgent(worktrees),
        from: { source: 'agent', pod },
      };
    });
  } catch (error) {
    return {
      entries: entriesOfCluster(shown),
      worktrees: workspace.status?.worktrees ?? [],
      from: { source: 'cluster', because: explain(error) },
    };
  }
}
