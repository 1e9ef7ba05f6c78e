// The results as a page: medians over the runs, ratios of one run, and what was promised.

import type { Row } from './plot.ts';
import { JVS, NATIVE, NATIVE_STARTED } from './tools.ts';

export interface Sample {
  workload: string;
  phase: 'first' | '1 % changed';
  tool: string;
  /** Samples of one run can be compared: the tools took turns within minutes. */
  run: string;
  seconds: number;
  /** MiB that the filesystem's device was sent. */
  written: number;
  /** MiB, of the largest process. */
  memory: number;
  /** Processes that wanted to run, in the mean of the last minute. */
  load: number;
}

export interface Results {
  /** What there is to know of the machine, and of what else it did. */
  machine: string;
  samples: Sample[];
  spaces?: Space[];
  /** MiB. */
  million?: { first: number; repeat: number; verify: number; restore: number };
}

/** Bytes of a tree, and of so many snapshots of it beside it. */
export interface Space {
  workload: string;
  tree: number;
  snapshots: number;
  taken: number;
}

/** [what, workload, phase, tool, at least so many times faster] */
const BUDGETS: [string, string, Sample['phase'], string, number][] = [
  [
    'first snapshot, no slower than copying and hashing',
    '10,000 files × 4,096 B',
    'first',
    'cp -a + sha256sum',
    1,
  ],
  ['repeated snapshot', '10,000 files × 4,096 B', '1 % changed', 'rsync --link-dest', 1.5],
  ['repeated snapshot', '1 GiB file + 100 small', '1 % changed', JVS, 30],
  ['repeated snapshot', '1 GiB file + 100 small', '1 % changed', 'restic', 10],
  [
    'first snapshot, no slower than copying and hashing',
    '1 GiB file + 100 small',
    'first',
    'cp -a + sha256sum',
    1,
  ],
];
const SPACE = 1.6;
const MILLION_MEBIBYTES = 300;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [above = Number.NaN, below = above] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? above : (above + below) / 2;
}

/** In the order of the samples, medians. */
export function rowsOf({ samples }: Results): Row[] {
  const groups = Map.groupBy(samples, ({ workload, phase, tool }) => JSON.stringify([workload, phase, tool]));
  const rows = [...groups].map(([key, group]) => {
    const [workload, phase, tool] = JSON.parse(key) as [string, string, string];
    const of = (field: 'seconds' | 'written' | 'memory') => median(group.map((s) => s[field]));
    return { workload, phase, tool, seconds: of('seconds'), written: of('written'), memory: of('memory') };
  });
  const order = (row: Row) => samples.findIndex((s) => s.workload === row.workload);
  return rows.sort((a, b) => order(a) - order(b) || (a.phase === b.phase ? 0 : a.phase === 'first' ? -1 : 1));
}

/** How many times longer the tool took than native, in the median of the runs that have both. */
function ratio(samples: readonly Sample[], workload: string, phase: string, tool: string): number {
  const of = (name: string) =>
    new Map(
      samples
        .filter((s) => s.workload === workload && s.phase === phase && s.tool === name)
        .map((s) => [s.run, s.seconds]),
    );
  const own = of(NATIVE);
  return median([...of(tool)].flatMap(([run, seconds]) => seconds / (own.get(run) ?? Number.NaN) || []));
}

export function page(results: Results): string {
  const { samples, machine, spaces, million } = results;
  const loads = samples.map((s) => s.load);
  const runs = new Set(samples.map((s) => s.run)).size;
  return `# The engine against other tools

\`npm run bench:engine\` made this page, [its figure](engine.svg) and [the numbers behind them](engine.json). Medians; a ratio
is that of one run, in which the tools took turns, and the median of those. ${runs} runs, with a load of ${Math.min(...loads).toFixed(1)} to
${Math.max(...loads).toFixed(1)}. ${machine}

Every tool ends with its data on disk, of an ext4 filesystem of its own (on a loop device), with the page cache warm.
\`${NATIVE}\` is the engine in a process that runs already, as in an agent that is at work; \`${NATIVE_STARTED}\` is
what a person's command costs. A ratio above 1 means that native is faster. Written is what the device was sent.

![Seconds by workload and tool](engine.svg)

## What was promised

| | against | at least | measured | |
|---|---|---|---|---|
${[...budgets(samples), ...(spaces ?? []).map(spaceLine), ...millionLine(million)].join('\n')}

A snapshot is a tree of its own, of hard links: each has its directories, 4 KiB at least, which is 1 % of a tree whose
directories have 100 files of 4 KiB. ${JVS} copies every file each time: its 50 snapshots take 50 times the tree.

## Why the first snapshot of many small files takes longer than copying and hashing them

It is CPU, and the cores are shared: on an AMD EPYC \`cp -a\` and \`sha256sum\` of 10,000 files use 0.33 s of it and 0.7 s in
the kernel, the engine 0.8 s and 0.75 s. The kernel's share is the same work. A profile of the rest has no peak: 0.12 s is
what calling libc costs, 0.1 s SHA-256, 0.1 s the index and the hash of all, and the most is spread over code that is run for
the first time. Reaching entries by descriptor and not through \`/proc/self/fd\`, three looks at a file and not six, no object,
no string and no BigInt made for a call, no \`fchmod\` where the mode is right, and a disk that works while the tree is being
copied were worth nearly half. What is left is a second process that copies too: it would take the workload's other core
for as long, and so is not there. The repeated snapshot, which is the one that is taken every few minutes, reads and copies
only what changed.

## Everything

| workload | phase | tool | seconds | ratio | written, MiB | memory, MiB |
|---|---|---|---|---|---|---|
${rowsOf(results)
  .map(
    (r) =>
      `| ${r.workload} | ${r.phase} | ${r.tool} | ${r.seconds.toFixed(3)} | ${ratio(samples, r.workload, r.phase, r.tool).toFixed(1)}× | ${r.written.toFixed(1)} | ${r.memory.toFixed(0)} |`,
  )
  .join('\n')}
`;
}

function budgets(samples: readonly Sample[]): string[] {
  return BUDGETS.flatMap(([what, workload, phase, tool, least]) => {
    const found = ratio(samples, workload, phase, tool);
    if (Number.isNaN(found)) return [];
    return `| ${what}, ${workload} | ${tool} | ${least}× | ${found.toFixed(1)}× | ${verdict(found >= least)} |`;
  });
}

function spaceLine({ workload, tree, snapshots, taken }: Space): string {
  const times = taken / tree;
  const what = `space of ${snapshots} snapshots, 1 % changed each, ${workload}`;
  return `| ${what} | the tree | at most ${SPACE}× | ${times.toFixed(2)}× | ${verdict(times <= SPACE)} |`;
}

function millionLine(million: Results['million']): string[] {
  if (!million) return [];
  const most = Math.max(...Object.values(million));
  const each = Object.entries(million).map(([name, value]) => `${name} ${value.toFixed(0)}`);
  const what = 'peak memory with 1,000,000 entries';
  return [
    `| ${what} | – | at most ${MILLION_MEBIBYTES} MiB | ${each.join(', ')} MiB | ${verdict(most <= MILLION_MEBIBYTES)} |`,
  ];
}

const verdict = (met: boolean) => (met ? 'met' : '**not met**');
