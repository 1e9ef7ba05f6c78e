// What is measured of each system, in the same way.

import { each } from '../asked.ts';
import type { AuditLog } from '../audit-log.ts';
import type { Memory } from '../memory.ts';

/** Takes snapshots of volumes that are known by their number. */
export interface System extends AsyncDisposable {
  readonly audit: AuditLog;
  /** Milliseconds from applied to ready, as a watch sees it. */
  snapshot(asked: Asked): Promise<number>;
  /** Milliseconds until all are ready. */
  snapshots(asked: readonly Asked[]): Promise<number>;
  /** By process. */
  memory(): Record<string, Memory>;
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
  /** Milliseconds each. */
  spread: number[];
  /** As well, all of one volume. */
  same: number[];
  /** Milliseconds until all were ready. */
  burst: number;
  /** To the API server, for each of `spread`, with what follows it. */
  requests: number;
  memory: Record<string, Memory>;
}

/** Nothing follows a snapshot later, and the engines of the agents have ended (agent/repository/native/lane.ts). */
const silenceMs = 11_000;

export async function measure(system: System, { volumes, single, burst }: Sizes): Promise<Measured> {
  const silence = () => system.audit.silence(silenceMs);
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const oneByOne = async (prefix: string, volumeOf: (i: number) => number) => {
    const samples: number[] = [];
    for (const i of numbers(single))
      samples.push(await system.snapshot({ volume: volumeOf(i), name: `${prefix}-${i}` }));
    return samples;
  };

  // Every volume has one: what is measured is not the first that it ever sees.
  await each(numbers(volumes), (volume) => system.snapshot({ volume, name: `first-${volume}` }), 5);
  await silence();
  let spread: number[] = [];
  const requests = await system.audit.requests(async () => {
    spread = await oneByOne('spread', (i) => i % volumes);
    await silence();
  });
  const same = await oneByOne('same', () => 0);
  await silence();
  const atOnce = await system.snapshots(
    numbers(burst).map((i) => ({ volume: i % volumes, name: `burst-${i}` })),
  );
  await silence();
  return { spread, same, burst: atOnce, requests: requests / single, memory: system.memory() };
}
