// npm run bench:engine -- [--runs 3] [--small]: the native engine against the tools that people use for the same, on one
// machine, in one run. Writes docs/benchmarks/engine.md and engine.svg.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { filesystemType } from '../native/fs/volume.ts';
import { ensurePackage } from '../testing/filesystem.ts';
import { plot } from './plot.ts';

interface Measure {
  seconds: number;
  /** Sent to the disk, MiB; of the whole machine, as children and the kernel write too. */
  written: number;
  /** Of the largest process, MiB. */
  memory: number;
}

export interface Row {
  workload: string;
  phase: string;
  tool: string;
  median: Measure;
}

interface Workload {
  name: string;
  make(main: string): void;
  /** What changes between the first and the repeated run. */
  change(main: string, round: number): void;
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, small: { type: 'boolean', default: false } },
});
const RUNS = Number(values.runs);
const SCALE = values.small ? 10 : 1;

function manyFiles(count: number, size: number): Workload {
  const directories = Math.ceil(count / 100);
  const file = (main: string, i: number) => join(main, `dir-${i % directories}`, `file-${i}`);
  const content = (seed: number) => Buffer.alloc(size, `content ${seed} `);
  return {
    name: `${count.toLocaleString('en')} files × ${size} B`,
    make: (main) => {
      for (let d = 0; d < directories; d++) mkdirSync(join(main, `dir-${d}`), { recursive: true });
      for (let i = 0; i < count; i++) writeFileSync(file(main, i), content(i));
    },
    change: (main, round) => {
      for (let i = round; i < count; i += 100) writeFileSync(file(main, i), content(-round - i));
    },
  };
}

const WORKLOADS: Workload[] = [
  manyFiles(10_000 / SCALE, 4096),
  {
    name: `${1024 / SCALE} MiB file + 100 small`,
    make: (main) => {
      mkdirSync(main, { recursive: true });
      execFileSync('sh', [
        '-c',
        `head -c ${Math.floor(1024 / SCALE)}M /dev/urandom > "$0"`,
        join(main, 'big'),
      ]);
      for (let i = 0; i < 100; i++) writeFileSync(join(main, `small-${i}`), `small ${i}`);
    },
    change: (main, round) => writeFileSync(join(main, 'small-7'), `changed ${round}`),
  },
  manyFiles(100_000 / SCALE, 512),
];

/** Shell scripts of one step; `$V` is the folder with `main/`, `$N` the number of the step. */
interface Tool {
  name: string;
  prepare?: string;
  first: string;
  repeat: string;
}

// As it is shipped: one bundle.
const bundle = join(mkdtempSync(join(tmpdir(), 'jvs-bench-bundle-')), 'snapshot.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('./snapshot.ts', import.meta.url))],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
});
const native = `${process.execPath} ${bundle} $V`;

const TOOLS: Tool[] = [
  { name: 'native', first: native, repeat: native },
  {
    name: 'cp -a + sha256sum',
    first:
      'cp -a $V/main $V/copy-$N && find $V/main -type f -print0 | xargs -0 sha256sum > /dev/null && sync -f $V',
    repeat:
      'cp -a $V/main $V/copy-$N && find $V/main -type f -print0 | xargs -0 sha256sum > /dev/null && sync -f $V',
  },
  {
    name: 'rsync --link-dest',
    first: 'rsync -a $V/main/ $V/rsync-$N && sync -f $V',
    repeat: 'rsync -a --link-dest=$V/rsync-$((N-1)) $V/main/ $V/rsync-$N && sync -f $V',
  },
  {
    name: 'restic',
    prepare: 'RESTIC_PASSWORD=x restic -q -r $V/restic init',
    first: 'RESTIC_PASSWORD=x restic -q -r $V/restic --no-cache backup $V/main && sync -f $V',
    repeat: 'RESTIC_PASSWORD=x restic -q -r $V/restic --no-cache backup $V/main && sync -f $V',
  },
];
const jvs = process.env.JVS_BINARY;
if (jvs) {
  const snapshot = `cd $V/main && ${jvs} snapshot bench`;
  TOOLS.push({ name: 'jvs 8.2', prepare: `cd $V && ${jvs} init .`, first: snapshot, repeat: snapshot });
}

function sectorsWritten(): number {
  const lines = readFileSync('/proc/diskstats', 'utf8').trim().split('\n');
  // Whole disks only: a partition's sectors are its disk's too.
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , name = '']) => /^(vd|sd|xvd)[a-z]+$|^nvme\d+n\d+$/.test(name))
    .reduce((sum, fields) => sum + Number(fields[9]), 0);
}

function measure(script: string, volume: string, step: number): Measure {
  const before = sectorsWritten();
  const start = performance.now();
  const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%M', 'sh', '-c', script], {
    env: { ...process.env, V: volume, N: String(step) },
    encoding: 'utf8',
  });
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
  const kibibytes = Number(stderr.trim().split('\n').at(-1));
  return { seconds, written: ((sectorsWritten() - before) * 512) / 2 ** 20, memory: kibibytes / 1024 };
}

function median(measures: Measure[]): Measure {
  const of = (key: keyof Measure) => {
    const sorted = measures.map((m) => m[key]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  return { seconds: of('seconds'), written: of('written'), memory: of('memory') };
}

/** Each tool has a folder of its own; the page cache is warm and nothing dirty is left from before. */
function bench(workload: Workload, tool: Tool): { first: Measure; repeat: Measure } {
  const volume = mkdtempSync(join(tmpdir(), 'jvs-bench-'));
  try {
    const main = join(volume, 'main');
    workload.make(main);
    const env = { ...process.env, V: volume };
    if (tool.prepare) execFileSync('sh', ['-c', tool.prepare], { env, stdio: 'ignore' });
    // Past the clock's granularity, so that times tell what changed.
    const settle = () => execFileSync('sh', ['-c', 'sync -f "$0"; sleep 0.2', volume]);
    settle();
    const first = measure(tool.first, volume, 1);
    workload.change(main, 1);
    settle();
    return { first, repeat: measure(tool.repeat, volume, 2) };
  } finally {
    rmSync(volume, { recursive: true, force: true });
  }
}

ensurePackage('rsync', 'rsync');
ensurePackage('restic', 'restic');
ensurePackage('time', 'time');
const rows: Row[] = [];
for (const workload of WORKLOADS) {
  const measured = new Map(
    TOOLS.map((tool) => [tool.name, { first: [] as Measure[], repeat: [] as Measure[] }]),
  );
  // Tools take turns, so that a slow minute of the machine is not one tool's.
  for (let run = 0; run < RUNS; run++) {
    for (const tool of TOOLS) {
      const { first, repeat } = bench(workload, tool);
      measured.get(tool.name)?.first.push(first);
      measured.get(tool.name)?.repeat.push(repeat);
      process.stderr.write(
        `${workload.name}, ${tool.name}: ${first.seconds.toFixed(2)} s, ${repeat.seconds.toFixed(2)} s\n`,
      );
    }
  }
  for (const [tool, { first, repeat }] of measured) {
    rows.push({ workload: workload.name, phase: 'first', tool, median: median(first) });
    rows.push({ workload: workload.name, phase: '1 % changed', tool, median: median(repeat) });
  }
}

rmSync(dirname(bundle), { recursive: true });
const docs = fileURLToPath(new URL('../../../docs/benchmarks/', import.meta.url));
const page = table(rows);
process.stdout.write(page);
if (!values.small) {
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, 'engine.md'), page);
  writeFileSync(join(docs, 'engine.svg'), plot(rows));
}

function table(all: Row[]): string {
  const lines = all.map(({ workload, phase, tool, median: m }) => {
    const own = all.find((r) => r.workload === workload && r.phase === phase && r.tool === 'native');
    const ratio = own ? m.seconds / own.median.seconds : Number.NaN;
    return `| ${workload} | ${phase} | ${tool} | ${m.seconds.toFixed(2)} | ${ratio.toFixed(1)}× | ${m.written.toFixed(0)} | ${m.memory.toFixed(0)} |`;
  });
  return `# The engine against other tools

\`npm run bench:engine\` made this: medians of ${RUNS} runs in turns, ${cpus().length} cores, ${filesystemType(tmpdir())}, Node ${process.version}. Every
tool starts as a process of its own and ends with its data on disk; native's time includes Node's start.
The ratio is the tool's time over native's. Written is what the disk got, by the whole machine.

![Seconds by workload and tool](engine.svg)

| workload | phase | tool | seconds | ratio | written, MiB | memory, MiB |
|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}
