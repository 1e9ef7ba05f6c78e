// npm run bench:engine -- [--workload 10k]… [--runs 5] [--space] [--million] [--note TEXT] [--fresh]: the native engine against
// the tools that people use for the same, on one machine. Adds its samples to docs/benchmarks/engine.json, or begins it
// anew, and writes engine.md and engine.svg from it. Needs root, to mount filesystems; tries jvs where JVS_BINARY is one.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { ensurePackage, Mounted } from '../testing/filesystem.ts';
import { page, type Results, rowsOf, type Sample, type Space } from './page.ts';
import { plot } from './plot.ts';
import { type Measure, NATIVE, RunningEngine, runScript, type Tool, toolsAgainst } from './tools.ts';
import { manyFiles, WORKLOADS, type Workload } from './workloads.ts';

const { values } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true, default: [] },
    runs: { type: 'string', default: '5' },
    space: { type: 'boolean', default: false },
    million: { type: 'boolean', default: false },
    note: { type: 'string', default: '' },
    fresh: { type: 'boolean', default: false },
  },
});
const docs = fileURLToPath(new URL('../../../docs/benchmarks/', import.meta.url));
const file = join(docs, 'engine.json');

const folder = mkdtempSync(join(tmpdir(), 'jvs-bench-'));
const bundle = join(folder, 'snapshot.mjs');
try {
  for (const program of ['rsync', 'restic', 'time']) ensurePackage(program, program);
  // As it is shipped: one bundle.
  await build({
    entryPoints: [fileURLToPath(new URL('./snapshot.ts', import.meta.url))],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  const old: Results | undefined =
    existsSync(file) && !values.fresh ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  const results: Results = { ...old, machine: machine(), samples: old?.samples ?? [] };
  const tools = toolsAgainst(bundle, process.env.JVS_BINARY);
  for (const workload of WORKLOADS.filter(({ key }) => values.workload.includes(key))) {
    for (let run = 0; run < Number(values.runs); run++) {
      results.samples.push(...(await compare(workload, tools)));
      save(results);
    }
  }
  if (values.space) {
    results.spaces = [
      await space(manyFiles('small', 10_000, 4096, 4)),
      await space(manyFiles('large', 1000, 65_536, 4)),
    ];
  }
  if (values.million) results.million = await million();
  save(results);
} finally {
  rmSync(folder, { recursive: true });
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const [cpu] = cpus();
  const what = `${cpus().length} cores (${cpu?.model.trim()}), ${memory} GiB, Node ${process.version}.`;
  return values.note ? `${what} ${values.note}` : what;
}

function save(results: Results): void {
  mkdirSync(docs, { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(docs, 'engine.md'), page(results));
  writeFileSync(join(docs, 'engine.svg'), plot(rowsOf(results)));
}

/** One run: tools take turns, so that a slow minute of the machine is not one tool's. */
async function compare(workload: Workload, tools: Tool[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  const run = new Date().toISOString();
  const tried = tools.filter(({ name }) => !workload.without?.includes(name));
  for (const tool of [undefined, ...tried]) samples.push(...(await measureTool(workload, tool, run)));
  return samples;
}

/** Each tool has a filesystem of its own. No tool: the engine in a process that runs already. */
async function measureTool(workload: Workload, tool: Tool | undefined, run: string): Promise<Sample[]> {
  using volume = filesystem(workload);
  const { path } = volume;
  const main = join(path, 'main');
  workload.make(main);
  if (tool?.prepare) execFileSync('sh', ['-c', tool.prepare], { env: { ...process.env, V: path } });
  await using engine = tool ? undefined : await RunningEngine.start(bundle, path);
  const measure = async (phase: Sample['phase'], work: () => Measure | Promise<Measure>): Promise<Sample> => {
    // Nothing dirty is left, and times tell what changes from here on.
    execFileSync('sh', ['-c', 'sync -f "$0"; sleep 0.3', path]);
    const before = sectorsWritten(path);
    const { seconds, memory } = await work();
    const sample: Sample = {
      workload: workload.name,
      phase,
      tool: tool?.name ?? NATIVE,
      run,
      seconds: rounded(seconds),
      written: rounded(((sectorsWritten(path) - before) * 512) / 2 ** 20),
      memory: rounded(memory / 1024),
      load: rounded(loadavg()[0] ?? 0),
    };
    process.stderr.write(`${workload.name}, ${phase}, ${sample.tool}: ${sample.seconds} s\n`);
    return sample;
  };
  const take = (script: string | undefined, step: number) =>
    engine ? engine.snapshot() : runScript(script ?? '', path, step);
  const first = await measure('first', () => take(tool?.first, 1));
  workload.change(main, 1);
  return [first, await measure('1 % changed', () => take(tool?.repeat, 2))];
}

function filesystem({ gibibytes, inodes }: Pick<Workload, 'gibibytes' | 'inodes'>): Mounted {
  const eager = `-N ${inodes} -E lazy_itable_init=0,lazy_journal_init=0`;
  return Mounted.loop('ext4', gibibytes * 1024, eager);
}

/** By all who write to the filesystem mounted on `path`. */
function sectorsWritten(path: string): number {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[1] === path);
  const device = mount?.split(' ')[0]?.replace('/dev/', '');
  const lines = readFileSync('/proc/diskstats', 'utf8').split('\n');
  const line = lines.map((l) => l.trim().split(/\s+/)).find(([, , name]) => name === device);
  return Number(line?.[9]);
}

function usedBytes(path: string): number {
  execFileSync('sync', ['-f', path]);
  const { blocks, bfree, bsize } = statfsSync(path);
  return (blocks - bfree) * bsize;
}

async function space(workload: Workload): Promise<Space> {
  using volume = filesystem(workload);
  const main = join(volume.path, 'main');
  const empty = usedBytes(volume.path);
  workload.make(main);
  const tree = usedBytes(volume.path) - empty;
  const snapshots = 50;
  await using engine = await RunningEngine.start(bundle, volume.path);
  for (let round = 1; round <= snapshots; round++) {
    await engine.snapshot();
    if (round < snapshots) workload.change(main, round);
  }
  return { workload: workload.name, tree, snapshots, taken: usedBytes(volume.path) - empty - tree };
}

/** MiB at the most, with a million files: empty ones, as memory goes by entries. */
async function million(): Promise<NonNullable<Results['million']>> {
  const workload = manyFiles('million', 1_000_000, 0, 6);
  using volume = filesystem(workload);
  const main = join(volume.path, 'main');
  workload.make(main);
  await using engine = await RunningEngine.start(bundle, volume.path);
  const peak = async (what: 'snapshot' | 'verify' | 'restore') =>
    rounded((await engine.ask(what)).memory / 1024);
  const first = await peak('snapshot');
  workload.change(main, 1);
  const repeat = await peak('snapshot');
  return { first, repeat, verify: await peak('verify'), restore: await peak('restore') };
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
