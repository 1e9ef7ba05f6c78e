import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Controller } from './runtime/controller.ts';

export interface Measured {
  controllers: Controller[];
  link: { stats(): { agents: number; workspaces: number } };
}

/** Process metrics, and what tells whether the operator keeps up. Read when it is scraped. */
export function createMetrics({ controllers, link }: Measured): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'jvs_operator_connected_agents',
    help: 'Agents whose stream is open to this replica',
    registers: [registry],
    collect() {
      this.set(link.stats().agents);
    },
  });
  new Gauge({
    name: 'jvs_operator_queue_depth',
    help: 'Objects that wait to be reconciled',
    labelNames: ['controller'],
    registers: [registry],
    collect() {
      for (const { name, depth } of controllers) this.set({ controller: name }, depth);
    },
  });
  return registry;
}
