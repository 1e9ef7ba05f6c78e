// What is measured of each system, in the same way.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditLog } from '../../audit-log.ts';
import { each } from '../asked.ts';
import { type Memory, memoryOf } from '../memory.ts';
import { percentile } from '../scale/report.ts';

/** Takes snapshots of volumes that are known by their number. */
export interface System extends AsyncDisposable {
  readonly audit: AuditLog;
  /** Milliseconds from applied to ready, as a watch sees it. */
  snapshot(asked: Asked): Promise<number>;
  /** Milliseconds until all are ready. */
  snapshots(asked: readonly Asked[]): Promise<number>;
  /** Pids of all that works, by what it is. */
  readonly processes: Record<string, readonly number[]>;
}

export interface Asked {
  volume: number;
  name: string;
}

export interface Sizes {
  volumes: number;
  /** One after another. */
  single: number;
  /** At once. */
  burst: number;
}

export interface Measured {
  /** Milliseconds each, of volumes that were left alone for a while. */
  cold: number[];
  /** As well, of volumes that each had one just before. */
  spread: number[];
  /** As well, all of one volume. */
  same: number[];
  /** Milliseconds until all were ready, of volumes that were left alone for a while. */
  coldBurst: number;
  /** As well, just after that. */
  burst: number;
  /** To the API server, for each that was one after another, with what follows it. */
  requests: number;
  /** Of both bursts, with what follows it, processor seconds of all processes of a kind. */
  cpu: Record<string, number>;
  /** At the end, of the process in the middle. */
  memory: Record<string, Memory>;
}

/** What both have. */
export const apiServer = 'API server and etcd';

/** Nothing follows a snapshot later. */
const silenceMs = 11_000;
/** Then the engines of the agents have ended (agent/repository/native/lane.ts). */
const coldMs = 35_000;

export async function measure(system: System, { volumes, single, burst }: Sizes): Promise<Measured> {
  const silence = () => system.audit.silence(silenceMs);
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const oneByOne = async (prefix: string, volumeOf: (i: number) => number) => {
    const samples: number[] = [];
    for (const i of numbers(single))
      samples.push(await system.snapshot({ volume: volumeOf(i), name: `${prefix}-${i}` }));
    return samples;
  };

  const atOnce = (prefix: string) =>
    system.snapshots(numbers(burst).map((i) => ({ volume: i % volumes, name: `${prefix}-${i}` })));

  // Every volume has one: what is measured is not the first that it ever sees.
  await each(numbers(volumes), (volume) => system.snapshot({ volume, name: `first-${volume}` }), 5);
  await silence();
  await sleep(coldMs);
  const samples: Pick<Measured, 'cold' | 'spread' | 'same'> = { cold: [], spread: [], same: [] };
  const requests = await system.audit.requests(async () => {
    samples.cold = await oneByOne('cold', (i) => i % volumes);
    samples.spread = await oneByOne('spread', (i) => i % volumes);
    samples.same = await oneByOne('same', () => 0);
    await silence();
  });
  await sleep(coldMs);
  const cpuBefore = cpuOf(system);
  const coldBurst = await atOnce('burst');
  const warmBurst = await atOnce('again');
  await silence();
  const cpu = Object.entries(cpuOf(system)).map(([kind, now]) => [kind, now - (cpuBefore[kind] ?? 0)]);
  await sleep(coldMs);
  return {
    ...{ ...samples, coldBurst, burst: warmBurst, requests: requests / (3 * single) },
    cpu: Object.fromEntries(cpu),
    memory: memoryIn(system),
  };
}

/** Since they were started; with their children. */
function cpuOf({ processes }: System): Record<string, number> {
  const seconds = (pid: number): number => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name in parentheses; user, system, and those of children that have ended are fields 14 to 17 of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
    return childrenOf(pid).reduce((sum, child) => sum + seconds(child), ended);
  };
  const kinds = Object.entries(processes);
  return Object.fromEntries(
    kinds.map(([kind, pids]) => [kind, pids.reduce((sum, pid) => sum + seconds(pid), 0)]),
  );
}

const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );

function memoryIn({ processes }: System): Record<string, Memory> {
  const middle = (pids: readonly number[]): Memory => {
    const all = pids.map(memoryOf);
    const of = (key: keyof Memory) => median(all.map((one) => one[key]));
    return { anonymous: of('anonymous'), resident: of('resident') };
  };
  return Object.fromEntries(Object.entries(processes).map(([kind, pids]) => [kind, middle(pids)]));
}

export const median = (values: readonly number[]): number => percentile(values, 50);
