// Finds for each workspace that waits for its initial snapshot who has it, and tells both agents.
import type { Logger } from '../../shared/log.ts';
import { isReadable } from '../api/parse.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Informers } from '../informers.ts';
import type { Agents } from '../link/agents.ts';
import { Controller } from '../runtime/controller.ts';
import { refOf } from '../runtime/types.ts';
import { workspaceLabel } from '../workspace/objects.ts';
import { type Observed, planTransfer } from './plan.ts';
import type { Transfers } from './transfers.ts';

export interface Dependencies {
  informers: Pick<Informers, 'workspaces' | 'snapshots' | 'pods'>;
  agents: Agents;
  transfers: Transfers;
  log: Logger;
}

/** By the workspace that waits. */
export function createTransferController({ informers, agents, transfers, log }: Dependencies): Controller {
  const controller = new Controller({ name: 'transfer', reconcile, workers: 2, log });
  /** Workspaces that wait. */
  const waiting = new Set<string>();

  informers.workspaces.onChange((key) => {
    controller.enqueue(key);
    enqueueWaiting(key);
  });
  informers.snapshots.onChange((key) => enqueueWaiting(key));
  informers.pods.onChange((_, now, before) => {
    const { namespace, labels } = (now ?? before)?.metadata ?? {};
    if (labels?.[workspaceLabel]) enqueueWaiting(`${namespace}/${labels[workspaceLabel]}`);
  });
  agents.onChange((workspace) => {
    if (agents.primary(workspace)?.status?.awaitsInitial || waiting.has(workspace))
      controller.enqueue(workspace);
    enqueueWaiting(workspace);
  });

  /** Few wait at a time, and what happened in their namespace may be what they wait for. */
  function enqueueWaiting(key: string): void {
    const { namespace } = refOf(key);
    for (const target of waiting) if (refOf(target).namespace === namespace) controller.enqueue(target);
  }

  async function reconcile(key: string): Promise<void> {
    const workspace = informers.workspaces.get(key);
    const plan = workspace && isReadable(workspace) ? planTransfer(observe(key, workspace)) : {};
    if (plan.waits) waiting.add(key);
    else waiting.delete(key);
    transfers.set(key, plan);
  }

  function observe(key: string, workspace: Workspace): Observed {
    const { namespace } = workspace.metadata;
    const snapshot = informers.snapshots.get(`${namespace}/${workspace.spec.initialSnapshot}`);
    const sourceKey = `${namespace}/${snapshot?.spec.workspace}`;
    const sourceAgent = agents.primary(sourceKey);
    return {
      workspace,
      agent: agents.primary(key),
      snapshot,
      source: informers.workspaces.get(sourceKey),
      sourceAgent,
      sourcePod: sourceAgent && informers.pods.get(`${namespace}/${sourceAgent.pod}`),
    };
  }

  return controller;
}
