import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { conditionOf } from './api/conditions.ts';
import type { Workspace } from './api/workspace.ts';
import type { Controller } from './runtime/controller.ts';

/** What the controllers count. Labels take few values, all known beforehand. */
export interface Meters {
  /** By `origin`. */
  mirrored: Counter<'origin'>;
  /** By `reason`: Pruned, Deleted, RemovedFromVolume, Window. */
  removed: Counter<'reason'>;
  /** By `outcome`: completed, failed. */
  restores: Counter<'outcome'>;
  /** By `kind`. */
  statusWrites: Counter<'kind'>;
}

export function createMeters(registry: Registry): Meters {
  const registers = [registry];
  return {
    mirrored: new Counter({
      name: 'jvs_operator_snapshots_mirrored_total',
      help: 'Snapshot resources made for snapshots that were found on volumes',
      labelNames: ['origin'],
      registers,
    }),
    removed: new Counter({
      name: 'jvs_operator_snapshots_removed_total',
      help: 'Snapshot resources removed: their snapshot was Pruned, Deleted or RemovedFromVolume, or is out of the Window',
      labelNames: ['reason'],
      registers,
    }),
    restores: new Counter({
      name: 'jvs_operator_restores_total',
      help: 'Restores that have run, by whether they were completed or failed',
      labelNames: ['outcome'],
      registers,
    }),
    statusWrites: new Counter({
      name: 'jvs_operator_status_writes_total',
      help: 'Statuses written to the API server',
      labelNames: ['kind'],
      registers,
    }),
  };
}

export interface Measured {
  controllers: Controller[];
  link: { stats(): { agents: number; workspaces: number } };
  workspaces: { list(): Workspace[] };
}

/** Process metrics, and what tells whether the operator keeps up. Read when it is scraped. */
export function measure(registry: Registry, { controllers, link, workspaces }: Measured): void {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'jvs_operator_connected_agents',
    help: 'Agents whose stream is open to this replica',
    registers,
    collect() {
      this.set(link.stats().agents);
    },
  });
  new Gauge({
    name: 'jvs_operator_queue_depth',
    help: 'Objects that wait to be reconciled',
    labelNames: ['controller'],
    registers,
    collect() {
      for (const { name, depth } of controllers) this.set({ controller: name }, depth);
    },
  });
  new Gauge({
    name: 'jvs_operator_workspaces',
    help: 'Workspaces by phase',
    labelNames: ['phase'],
    registers,
    collect() {
      this.reset();
      for (const { status } of workspaces.list()) this.inc({ phase: status?.phase ?? 'Pending' });
    },
  });
  new Gauge({
    name: 'jvs_operator_workspaces_degraded',
    help: 'Workspaces whose condition Degraded is true, by its reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const { status } of workspaces.list()) {
        const degraded = conditionOf({ status }, 'Degraded');
        if (degraded?.status === 'True') this.inc({ reason: degraded.reason });
      }
    },
  });
}
