// Rules, dashboard and monitors in config/prometheus, against what operator and agents serve.
import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { exposition } from '../agent/metrics/exposition.ts';
import { gaugesOf } from '../agent/metrics/gauges.ts';
import { Meters } from '../agent/metrics/meters.ts';
import { createMeters, measure } from '../operator/metrics.ts';
import type { Controller } from '../operator/runtime/controller.ts';
import type { Pod } from '../operator/runtime/resources.ts';
import { injectAgent } from '../operator/webhook/inject.ts';
import { agentConfig, podWith, workspaceNamed } from '../operator/webhook/testing.ts';

const read = (path: string) => readFileSync(new URL(`../config/${path}`, import.meta.url), 'utf8');

const rules = z.object({
  spec: z.object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            alert: z.string(),
            expr: z.string(),
            labels: z.object({ severity: z.enum(['warning', 'critical']) }),
            annotations: z.object({ summary: z.string(), description: z.string() }),
          }),
        ),
      }),
    ),
  }),
});
const dashboard = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      type: z.enum(['timeseries', 'row']),
      title: z.string(),
      gridPos: z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
    }),
  ),
});

const alerts = rules.parse(parse(read('prometheus/rules.yaml'))).spec.groups.flatMap((group) => group.rules);
const { panels } = dashboard.parse(JSON.parse(read('prometheus/dashboard.json')));
const expressions = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
];

/** By the name of each series that is served, its labels and those that Prometheus adds. */
async function served(): Promise<Map<string, Set<string>>> {
  const registry = new Registry();
  const meters = createMeters(registry);
  meters.mirrored.inc({ origin: 'auto' });
  meters.removed.inc({ reason: 'Pruned' });
  meters.restores.inc({ outcome: 'completed' });
  meters.statusWrites.inc({ kind: 'Workspace' });
  const degraded = { type: 'Degraded', status: 'True', reason: 'VolumeAlmostFull', message: 'm' };
  const conditions = [{ ...degraded, lastTransitionTime: '2026-01-01T00:00:00Z' }];
  measure(registry, {
    controllers: [{ name: 'workspace', depth: 0 } as Controller],
    link: { stats: () => ({ agents: 3, workspaces: 2 }) },
    workspaces: { list: () => [{ ...workspaceNamed('ws'), status: { conditions } }] as never },
  });
  const state = { snapshots: [], worktrees: [], usage: { usedBytes: 1, capacityBytes: 2 } };
  const gauges = gaugesOf({
    volume: { state },
    upkeep: {
      view: {
        status: { nextSnapshotTime: { seconds: 1 } },
        journal: { removed: [], notices: [] },
        notes: new Map(),
      },
      decisions: { keep: 0, delete: 0, held: 0 },
    },
    linked: () => false,
  });
  const pages = [await registry.metrics(), exposition([...new Meters().all(), ...gauges])];
  const series = new Map<string, Set<string>>();
  for (const [, type = '', labelled = ''] of pages
    .join('\n')
    .matchAll(/^(?:# TYPE )?([a-z]\w+)(?:\{(.*)\})? /gm)) {
    const labels = series.get(type) ?? new Set(['namespace', 'workspace', 'pod', 'job']);
    series.set(type, labels);
    for (const [, label = ''] of labelled.matchAll(/(\w+)="/g)) labels.add(label);
  }
  return series;
}

/** What an expression names. @throws Error where it is no PromQL */
function namesIn(expression: string): { metrics: string[]; labels: string[] } {
  const names = { metrics: [] as string[], labels: [] as string[] };
  parser.parse(expression).iterate({
    enter({ name, from, to, type }) {
      if (type.isError) throw new Error(`no PromQL from character ${from}: ${expression}`);
      if (name === 'Identifier') names.metrics.push(expression.slice(from, to));
      if (name === 'LabelName') names.labels.push(expression.slice(from, to));
    },
  });
  return names;
}

test('no PromQL is seen to be none', () => {
  expect(() => namesIn('sum by (x (y)')).toThrow('no PromQL from character 10');
});

test.each(expressions)('%s asks for what is served', async (_, expression) => {
  const series = await served();
  const { metrics, labels } = namesIn(expression);
  expect(metrics).not.toEqual([]);
  for (const metric of metrics) {
    expect([...series.keys()]).toContain(metric);
    for (const label of labels) expect([...(series.get(metric) ?? [])]).toContain(label);
  }
});

test('no two panels have one id or one place', () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  expect(new Set(places).size).toBe(panels.length);
  for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
});

test('every alert and its reason is in the runbook', () => {
  const runbook = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  for (const { alert, expr } of alerts) {
    expect(runbook).toContain(`\`${alert}\``);
    for (const [, reason] of expr.matchAll(/reason="(\w+)"/g)) expect(runbook).toContain(`\`${reason}\``);
  }
});

test('every metric of ours is in the runbook, and those of the operator are in the dashboard', async () => {
  const runbook = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  const shown = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr).metrics));
  const names = [...(await served()).keys()].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
  for (const name of new Set(names.filter((one) => one.startsWith('jvs_')))) {
    expect(runbook).toContain(`\`${name}\``);
    if (name.startsWith('jvs_operator_')) expect(shown).toContain(name);
  }
});

test('monitors scrape ports that there are', () => {
  const monitor = z.object({
    metadata: z.object({ name: z.string() }),
    spec: z.object({ podMetricsEndpoints: z.array(z.object({ port: z.string() })) }),
  });
  const ports = Object.fromEntries(
    parseAllDocuments(read('prometheus/monitors.yaml')).map((document) => {
      const { metadata, spec } = monitor.parse(document.toJS());
      return [metadata.name, spec.podMetricsEndpoints.map(({ port }) => port)];
    }),
  );
  const operator = parse(read('manager/operator.yaml')) as Pod & { spec: { template: Pod } };
  const { pod } = injectAgent(podWith({}), workspaceNamed('ws'), agentConfig);
  expect(portsOf(operator.spec.template)).toEqual(expect.arrayContaining(ports['jvs-operator'] ?? ['none']));
  expect(portsOf(pod)).toEqual(expect.arrayContaining(ports['jvs-agents'] ?? ['none']));
});

const portsOf = ({ spec }: Pod) =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ ports }) =>
    (ports ?? []).map(({ name }) => name),
  );
