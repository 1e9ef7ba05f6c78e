// docs/benchmarks/peer.md
import { cpus } from 'node:os';
import type { Memory } from '../memory.ts';
import { percentile } from '../scale/report.ts';
import { apiServer, type Measured, median, type Sizes } from './system.ts';

export interface Results {
  sizes: Sizes;
  peerVersion: string;
  /** Of each volume of ours. */
  tree: { files: number; bytes: number };
  /** Flags of the peers where they are not their own defaults. */
  flags: readonly string[];
  /** The machine's load average before each system's turn, the highest. */
  load: number;
  /** One a round, in turns. */
  jvs: Measured[];
  tuned: Measured[];
  /** With the peers' own limits, and `few` snapshots. */
  few: Sizes;
  defaults?: Measured;
}

const [controller, sidecar] = ['snapshot-controller', 'csi-snapshotter'] as const;

const row = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
const fixed = (value: number, digits = 1) => value.toFixed(digits);

const p50 = (of: 'cold' | 'spread' | 'same') => (one: Measured) => median(one[of]);
const burst = (of: 'coldBurst' | 'burst') => (one: Measured) => one[of];
const held = (process: string, key: keyof Memory) => (one: Measured) => one.memory[process]?.[key] ?? NaN;

export function page(results: Results): string {
  const { sizes, few, peerVersion, tree, flags, load, jvs, tuned, defaults } = results;
  /** Of the round in which both took turns, the median of those. */
  const ratio = (ours: (one: Measured) => number, theirs = ours) =>
    median(tuned.flatMap((peers, i) => (jvs[i] ? ours(jvs[i]) / theirs(peers) : [])));
  const budget = (what: string, most: number, value: number, said: string) =>
    row(what, said, `${fixed(value, 2)}×`, value <= most ? 'met' : '**missed**');

  const times = (name: string, turns: readonly Measured[]) => {
    const all = (of: 'cold' | 'spread' | 'same') => {
      const samples = turns.flatMap((turn) => turn[of]);
      return [50, 90, 99].map((p) => fixed(percentile(samples, p))).join(' / ');
    };
    const bursts = (of: 'coldBurst' | 'burst') => turns.map((turn) => fixed(turn[of] / 1000, 2)).join(', ');
    const requests = fixed(median(turns.map((turn) => turn.requests)));
    const latencies = [all('cold'), all('spread'), all('same')];
    return row(name, ...latencies, bursts('coldBurst'), bursts('burst'), requests);
  };
  const memory = (turns: readonly Measured[], process: string) =>
    row(
      process,
      fixed(median(turns.map(held(process, 'resident')))),
      fixed(median(turns.map(held(process, 'anonymous')))),
    );

  const seconds = (system: string, turns: readonly Measured[], process: string) =>
    row(`${system}: ${process}`, fixed(median(turns.map(({ cpu }) => cpu[process] ?? NaN))));

  return `# Beside the CSI external-snapshotter

\`npm run bench:peer\` made this: ${jvs.length} rounds in which both took turns, each turn on an API server and etcd of its own, on
${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. The load average before a turn was at most ${fixed(load)}.

**The peers**: snapshot-controller and csi-snapshotter ${peerVersion}, with ${sizes.volumes} bound claims and a CSI driver that does
nothing: a snapshot of theirs is a record. **JVS**: the operator and ${sizes.volumes} agents, as in their images, each with a
tree of ${tree.files} files × ${tree.bytes.toLocaleString('en')} B of which one has changed; a snapshot of its is on the disk, synced, verifiable. (All volumes
are folders of one ext4 filesystem, on a loop device.) From applied to \`readyToUse\` and \`Ready\`, as a client's watch sees it; every
volume has had a snapshot before.

| | at most | measured | |
|---|---|---:|---|
${[
  budget('one after another, of one volume, p50', 1, ratio(p50('same')), 'the peers’'),
  budget('one after another, a volume each, p50', 1, ratio(p50('spread')), 'the peers’'),
  budget('as well, engines not running, p50', 1, ratio(p50('cold')), 'the peers’'),
  budget(
    `${sizes.burst} at once over ${sizes.volumes} volumes`,
    1 / 3,
    ratio(burst('burst')),
    'a third of the peers’',
  ),
  budget('as well, engines not running', 1 / 3, ratio(burst('coldBurst')), 'a third of the peers’'),
  ...(['resident', 'anonymous'] as const).flatMap((key) => [
    budget(
      `memory of the operator, ${key}`,
      1.5,
      ratio(held('operator', key), held(controller, key)),
      `1.5× ${controller}’s`,
    ),
    budget(`memory of an agent, ${key}`, 1, ratio(held('agent', key), held(sidecar, key)), `${sidecar}’s`),
  ]),
].join('\n')}

A ratio is that of one round, and the median of those.

| ms: p50 / p90 / p99 | engines not running | a volume each | one volume | ${sizes.burst} at once, engines not running, s, each round | and again | requests to the API server, each |
|---|---:|---:|---:|---:|---:|---:|
${[
  times('JVS', jvs),
  times('the peers', tuned),
  ...(defaults ? [times(`the peers at their own limits, ${few.burst} at once`, [defaults])] : []),
].join('\n')}

The peers have \`${flags.join(' ')}\`, which makes them
faster: by themselves they allow their clients 5 requests a second${defaults ? ', as in the last row' : ''}. Else their flags are their
defaults, with leader election as in their manifests. The first snapshot of a volume in half a minute starts the agent's engine,
a process of its own: in *engines not running* each does, elsewhere none.

| processor seconds of both ${sizes.burst} at once | |
|---|---:|
${[
  ...['operator', 'agent', apiServer].map((process) => seconds('JVS', jvs, process)),
  ...[controller, sidecar, 'the driver', apiServer].map((process) => seconds('peers', tuned, process)),
].join('\n')}

All ${sizes.volumes} agents share this machine's processors with everything else, which in a cluster are those
of their nodes. The seconds are until nothing follows any more, what an API server uses by being there included.

| memory after all that, MiB | resident | anonymous |
|---|---:|---:|
${[memory(jvs, 'operator'), memory(jvs, 'agent'), memory(tuned, controller), memory(tuned, sidecar)].join('\n')}

Of the agents' memory each number is that of the one in the middle.
`;
}
