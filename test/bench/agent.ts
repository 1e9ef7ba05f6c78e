// npm run bench:agent -- [--runs 3] [--short]: what an agent as in its image costs while it is idle and connected, against
// a bare Node process, and how free its event loop is during a snapshot. Writes docs/benchmarks/agent.md.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { FakeOperator } from '../../agent/testing/fake-operator.ts';
import { createAuthority } from '../../agent/testing/tls.ts';
import { agentImage } from './images.ts';
import { type Memory, memoryOf } from './memory.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, short: { type: 'boolean', default: false } },
});
const RUNS = Number(values.runs);
const SETTLE_MS = values.short ? 15_000 : 60_000;
const WATCH_MS = values.short ? 20_000 : 120_000;
const SNAPSHOTS = 50;

const root = join(import.meta.dirname, '../..');
execFileSync('node', ['hack/build.ts'], { cwd: root, stdio: 'inherit' });

/** Milliseconds that its threads have run. */
const runTimeOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, nanoseconds) => sum + nanoseconds / 1e6, 0);

const desired = {
  role: 'ROLE_PRIMARY',
  engine: 'copy',
  schedule: { cron: '0 4 * * *', timeZone: 'UTC' },
  retention: { maxAutoSnapshots: 30, policy: { keepMinSnapshots: 10, keepMinAgeSeconds: 86_400 } },
} as const;

async function until(true_: () => unknown): Promise<void> {
  for (const deadline = Date.now() + 120_000; !true_(); await sleep(5)) {
    if (Date.now() > deadline) throw new Error('the agent does not do it');
  }
}

class Agent {
  readonly volume: string;
  readonly #child: ChildProcess;
  readonly #operator: FakeOperator;

  private constructor(operator: FakeOperator, child: ChildProcess, volume: string) {
    this.#operator = operator;
    this.#child = child;
    this.volume = volume;
  }

  static async start(extra: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Agent> {
    const volume = mkdtempSync(join(tmpdir(), 'jvs-bench-'));
    const authority = await createAuthority();
    const operator = new FakeOperator(authority);
    operator.desired = desired;
    await operator.start();
    const link = join(volume, 'link');
    mkdirSync(link);
    writeFileSync(join(link, 'ca.crt'), authority.ca);
    writeFileSync(join(link, 'token'), 'token');
    const child = spawn(
      process.execPath,
      [
        ...[...agentImage.flags, ...extra, agentImage.main, `--volume=${volume}`],
        ...['--debug-address=127.0.0.1:0', '--health-port=0', '--transfer-port=0', '--workspace=w'],
        ...[`--link-address=${operator.address}`, `--link-ca-file=${link}/ca.crt`],
        ...[`--link-token-file=${link}/token`, '--namespace=n', '--pod=p', '--log-level=info'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'], env: { ...agentImage.environment, ...env } },
    );
    const agent = new Agent(operator, child, volume);
    await until(() => operator.latest?.inventories);
    return agent;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** One that the operator asks for. */
  async snapshot(): Promise<void> {
    const uid = randomUUID();
    this.#operator.want({ ...desired, snapshots: [{ uid, name: uid, worktree: 'main' }] });
    await until(() => [...this.#operator.snapshots.values()].some(({ requestUid }) => requestUid === uid));
    this.#operator.want(desired);
  }

  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
    this.#operator.kill();
    rmSync(this.volume, { recursive: true });
  }
}

async function bare(): Promise<Memory> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], {
    env: { PATH: process.env.PATH },
  });
  await sleep(5_000);
  const memory = memoryOf(child.pid ?? 0);
  const exited = once(child, 'exit');
  child.kill();
  await exited;
  return memory;
}

/** Connected, with snapshots on the volume, a schedule and retention, and nothing to do. */
async function idle(): Promise<Memory & { percent: number }> {
  const agent = await Agent.start();
  try {
    for (let i = 0; i < SNAPSHOTS; i++) {
      writeFileSync(join(agent.volume, 'main', 'file'), String(i));
      await agent.snapshot();
    }
    await sleep(SETTLE_MS);
    execFileSync('sync');
    const before = runTimeOf(agent.pid);
    await sleep(WATCH_MS);
    const percent = ((runTimeOf(agent.pid) - before) / WATCH_MS) * 100;
    return { ...memoryOf(agent.pid), percent };
  } finally {
    await agent.end();
  }
}

const delay = z.object({ p99: z.number(), max: z.number() });

/** Of the agent's event loop, in milliseconds, while it takes the first snapshot of what `make` has put there. */
async function delayed(make: (main: string) => void): Promise<z.infer<typeof delay>> {
  const scratch = mkdtempSync(join(tmpdir(), 'jvs-bench-delay-'));
  const file = join(scratch, 'delay.json');
  const agent = await Agent.start(['--import', join(import.meta.dirname, 'delay.ts')], {
    BENCH_DELAY_FILE: file,
  });
  const ask = async () => {
    rmSync(file, { force: true });
    process.kill(agent.pid, 'SIGUSR2');
    for (;;) {
      try {
        return delay.parse(JSON.parse(readFileSync(file, 'utf8')));
      } catch {
        await sleep(10);
      }
    }
  };
  try {
    make(join(agent.volume, 'main'));
    execFileSync('sync');
    await ask();
    await agent.snapshot();
    return await ask();
  } finally {
    await agent.end();
    rmSync(scratch, { recursive: true });
  }
}

const scale = values.short ? 10 : 1;
function manyFiles(main: string): void {
  for (let i = 0; i < 10_000 / scale; i++) {
    if (i % 100 === 0) mkdirSync(join(main, `dir-${i / 100}`));
    writeFileSync(join(main, `dir-${Math.floor(i / 100)}`, `file-${i}`), Buffer.alloc(4096, String(i)));
  }
}
function oneFile(main: string): void {
  execFileSync('sh', ['-c', `head -c ${Math.floor(1024 / scale)}M /dev/urandom > "$0"`, join(main, 'big')]);
}

async function medians<K extends string>(
  measure: () => Promise<Record<K, number>>,
): Promise<Record<K, number>> {
  const measured: Record<K, number>[] = [];
  for (let run = 0; run < RUNS; run++) measured.push(await measure());
  const result = { ...(measured[0] ?? (await measure())) };
  for (const key of Object.keys(result) as K[]) {
    const sorted = measured.map((one) => one[key]).sort((a, b) => a - b);
    result[key] = sorted[Math.floor(RUNS / 2)] ?? result[key];
  }
  return result;
}

const node = await medians(bare);
const agent = await medians(idle);
const files = await medians(() => delayed(manyFiles));
const large = await medians(() => delayed(oneFile));

const n = (value: number) => value.toFixed(1);
const page = `# What an idle agent costs

\`npm run bench:agent\` made this: medians of ${RUNS} runs, ${cpus().length} cores, Node ${process.version}, the agent bundled and started as in its
image. Idle: connected by TLS to an operator, ${SNAPSHOTS} snapshots on the volume, a schedule and retention, nothing to do,
${SETTLE_MS / 1000} s after the last snapshot, after \`sync\`; CPU over the ${WATCH_MS / 1000} s that follow.

| | bare Node | idle agent | more | ratio | at most |
|---|---|---|---|---|---|
| anonymous, MiB | ${n(node.anonymous)} | ${n(agent.anonymous)} | ${n(agent.anonymous - node.anonymous)} | ${n(agent.anonymous / node.anonymous)}× | 25 more |
| resident, MiB | ${n(node.resident)} | ${n(agent.resident)} | ${n(agent.resident - node.resident)} | ${n(agent.resident / node.resident)}× | 75 |
| CPU, % of a core | | ${agent.percent.toFixed(3)} | | | 0.2 |

Resident beyond anonymous are pages of Node's own file, which all agents of a node share.

How late the agent's event loop is during the first snapshot, which another process makes:

| | p99, ms | longest, ms | p99 at most |
|---|---|---|---|
| 10,000 files × 4 KiB | ${n(files.p99)} | ${n(files.max)} | 50 |
| 1 GiB file | ${n(large.p99)} | ${n(large.max)} | 50 |
`;
process.stdout.write(page);
if (!values.short) {
  mkdirSync(join(root, 'docs/benchmarks'), { recursive: true });
  writeFileSync(join(root, 'docs/benchmarks/agent.md'), page);
}
