// npm run bench:scale -- [--workspaces 1000] [--snapshots 5] [--limit 512]: the operator with many agents, against a real
// API server; `snapshots` of each workspace, `limit` of its memory in MiB. Writes docs/benchmarks/scale-1000x5.md and .svg.

import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KubeClient } from '../../../operator/runtime/client.ts';
import { root, startInstalled } from '../../integration/kubectl.ts';
import { operatorCredentials } from '../../integration/operator-client.ts';
import { eventually } from '../../kubectl.ts';
import { Fleet } from './fleet.ts';
import { memoryLimit, Operator } from './operator.ts';
import { type Latency, type Phase, page, plot } from './report.ts';
import { placesOf, World } from './world.ts';

const { values } = parseArgs({
  options: {
    workspaces: { type: 'string', default: '1000' },
    snapshots: { type: 'string', default: '5' },
    limit: { type: 'string', default: String(memoryLimit) },
  },
});
const workspaceCount = Number(values.workspaces);
const perWorkspace = Number(values.snapshots);
const limitMiB = Number(values.limit);
/** Seconds for a phase: this machine has it all to itself. */
const patience = 300 + (workspaceCount * (1 + perWorkspace)) / 50;
/** Fifty agents a second begin. */
const spreadMs = workspaceCount * 20;

const stop = new AbortController();
const { server } = await startInstalled(['config/manager/'], { audit: true });
let operator: Operator | undefined;
let fleet: Fleet | undefined;
try {
  const client = KubeClient.fromKubeconfig(server.kubeconfig);
  const world = new World(client, stop.signal);
  const places = placesOf(workspaceCount);
  const [first] = places;
  if (!first) throw new Error('no workspaces');
  const credentials = await operatorCredentials(server);
  const auditLog = join(server.dir, 'audit.log');
  const phases: Phase[] = [];
  let load = 0;

  /** Measures the operator of the moment, which `work` may replace. */
  const phase = async (name: string, work: (running: Operator) => Promise<unknown>): Promise<void> => {
    const before = operator ?? (await start());
    const cpuBefore = (await before.usage()).cpu;
    const since = performance.now();
    const requests = await before.requests(() => work(before));
    const seconds = (performance.now() - since) / 1000;
    const after = operator ?? before;
    const usage = await after.usage();
    const cpu = usage.cpu - (after === before ? cpuBefore : 0);
    load = Math.max(load, loadavg()[0] ?? 0);
    phases.push({ name, seconds, requests, cpu, usage });
    console.log(name, phases.at(-1));
  };
  const start = async (): Promise<Operator> => {
    operator = new Operator(server.url, credentials, auditLog, limitMiB);
    await operator.ready();
    return operator;
  };
  /** Pods pass the webhook and do not, in turn. */
  const admissions = async (when: string): Promise<Latency[]> => {
    const without: Latency = { name: `Pod created${when}, no webhook`, samples: [] };
    const injected: Latency = { name: `Pod created${when}, webhook injects`, samples: [] };
    for (let i = 0; i < 300; i++) {
      without.samples.push(await world.admission(first.namespace, `plain-${i}`));
      injected.samples.push(await world.admission(first.namespace, `injected-${i}`, first.name));
    }
    return [without, injected];
  };
  const mirrored = perWorkspace * workspaceCount;

  await world.makeNamespaces(places);
  await phase('started, nothing to do', () => sleep(10_000));
  await phase(`${workspaceCount} Workspaces: claims and Deployments`, async (running) => {
    await world.makeWorkspaces(places);
    await eventually(
      'each has a status',
      async () => (await running.metric('jvs_operator_workspaces')) >= workspaceCount,
      patience,
    );
    await running.idle();
  });
  const admissionsBefore = await admissions(' before any agent connects');
  const members = await world.makePods(places);
  const ca = await world.authority(first);
  await phase(`all agents connect; ${mirrored} snapshots are shown`, async (running) => {
    fleet = new Fleet({ port: running.link, ca, snapshots: perWorkspace, members, spreadMs });
    await eventually('all are connected', async () => fleet?.connected === workspaceCount, patience);
    await eventually(
      'all snapshots are shown',
      async () => (await running.metric('jvs_operator_snapshots_mirrored_total')) >= mirrored,
      patience,
    );
    await running.idle();
  });
  await phase('idle for 30 s', () => sleep(30_000));

  const oneByOne: Latency = { name: 'Snapshot applied → Ready, one after another', samples: [] };
  let requests = 0;
  const rounds = 50;
  await phase(`${rounds} Snapshots, one after another`, async (running) => {
    requests = await running.requests(async () => {
      for (let i = 0; i < rounds; i++)
        oneByOne.samples.push(await world.snapshot(places[i % places.length] ?? first, `single-${i}`));
      await running.idle();
    });
  });
  const burst = { count: 200, workspaces: Math.min(50, workspaceCount), seconds: 0 };
  await phase(`${burst.count} Snapshots at once`, async (running) => {
    const all = Array.from({ length: burst.count }, (_, i) => ({
      place: places[i % burst.workspaces] ?? first,
      name: `burst-${i}`,
    }));
    burst.seconds = (await world.allSnapshots(all)) / 1000;
    await running.idle();
  });

  const rates: Latency[] = [];
  for (const rate of [1, 50, 200]) {
    const name = `Snapshot applied → Ready, ${rate} a second`;
    await phase(`${rate} Snapshots a second for 10 s`, async (running) => {
      const asked: Promise<number>[] = [];
      const since = performance.now();
      for (let i = 0; i < rate * 10; i++) {
        await sleep(Math.max(0, since + (i * 1000) / rate - performance.now()));
        asked.push(world.snapshot(places[i % places.length] ?? first, `at-${rate}-${i}`));
      }
      rates.push({ name, samples: await Promise.all(asked) });
      await running.idle();
    });
  }

  const admissionsThen = await admissions('');

  await phase('operator killed and started again, all agents back', async (running) => {
    await running.kill();
    const next = await start();
    await eventually('all are connected', async () => fleet?.connected === workspaceCount, patience);
    await next.idle();
  });
  await phase('all agents reconnect at one moment', async (running) => {
    fleet?.cut();
    await eventually('they are cut off', async () => (fleet?.connected ?? 0) < workspaceCount, patience);
    await eventually('all are connected', async () => fleet?.connected === workspaceCount, patience);
    await running.idle();
  });

  const directory = join(root, 'docs/benchmarks');
  mkdirSync(directory, { recursive: true });
  const latencies = [oneByOne, ...rates, ...admissionsBefore, ...admissionsThen];
  const name = `scale-${workspaceCount}x${perWorkspace}`;
  writeFileSync(
    join(directory, `${name}.md`),
    page({
      workspaces: workspaceCount,
      snapshots: perWorkspace,
      phases,
      latencies,
      requestsPerSnapshot: requests / rounds,
      limitMiB,
      name,
      load,
      burst,
    }),
  );
  writeFileSync(join(directory, `${name}.svg`), plot(phases, limitMiB));
} finally {
  stop.abort();
  fleet?.stop();
  await operator?.kill();
  await server.stop();
}
