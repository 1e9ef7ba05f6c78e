// npm run bench:peer -- [--rounds 3] [--only jvs|peers]: snapshots by the operator with real agents, and by the CSI
// external-snapshotter, in turns. Writes docs/benchmarks/peer.md; with --only it just prints.
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { step } from '../../cluster/progress.ts';
import { startJvs, tree } from './jvs.ts';
import { peerVersion, startPeers } from './peers.ts';
import { page, type Results } from './report.ts';
import { type Measured, measure, median, type Sizes, type System } from './system.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const sizes: Sizes = { volumes: 50, single: 50, burst: 200 };
/** At the peers' own limits each takes seconds. */
const few: Sizes = { volumes: 10, single: 10, burst: 20 };
const flags = ['--kube-api-qps=1000', '--kube-api-burst=2000', '--worker-threads=100'];

const results: Results = {
  ...{ sizes, few, peerVersion, flags, load: 0, jvs: [], tuned: [] },
  tree: { files: tree.folders * tree.filesEach, bytes: tree.bytes },
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

async function turn(name: string, start: () => Promise<System>, size = sizes): Promise<Measured> {
  results.load = Math.max(results.load, loadavg()[0] ?? 0);
  const measured = await step(name, async () => {
    await using system = await start();
    return await measure(system, size);
  });
  const { cold, spread, same, ...rest } = measured;
  console.log(name, { cold: median(cold), spread: median(spread), same: median(same), ...rest });
  return measured;
}

const write = () => {
  if (values.only !== undefined) return;
  writeFileSync(join(import.meta.dirname, '../../../docs/benchmarks/peer.md'), page(results));
};
if (values.only === undefined)
  results.defaults = await turn('the peers at their own limits', () => startPeers(few.volumes, []), few);
for (let round = 0; round < Number(values.rounds); round++) {
  if (values.only !== 'jvs')
    results.tuned.push(await turn('the peers', () => startPeers(sizes.volumes, flags)));
  if (values.only !== 'peers') results.jvs.push(await turn('JVS', () => startJvs(sizes.volumes)));
  // It is long until the last one.
  write();
}
