// A process with an engine in it, started when there is work and ended when there has been none for a while: an
// idle agent does not pay for it (a worker thread leaves 5 MiB behind), and killing it is a safe way to cancel,
// as the engine survives being killed at any point. Calls run one after another.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Progress, RepositoryError, type RepositoryErrorReason } from '../repository.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { childrenOf, reap } from './orphans.ts';
import { pacer } from './pace.ts';
import type { RepairLog } from './repair.ts';

/** The engine's operations; the last argument of each is the control, which does not cross the boundary. */
type Operations = Pick<
  Engine,
  'open' | 'repair' | 'snapshot' | 'restore' | 'fork' | 'delete' | 'removeWorktree' | 'verify'
>;
type Name = keyof Operations;
type Input<N extends Name> = Parameters<Operations[N]> extends [infer I, unknown] ? I : undefined;
type Output<N extends Name> = Awaited<ReturnType<Operations[N]>>;

interface Call {
  id: number;
  options: Omit<EngineOptions, 'log'>;
  name: Name;
  input: unknown;
  bytesPerSecond: number | undefined;
}

type Answer =
  | { id: number; kind: 'result'; value: unknown }
  | { id: number; kind: 'error'; error: FlatError }
  | { id: number; kind: 'progress'; progress: Progress }
  | { kind: 'log'; fields: object; message: string };

export interface FlatError {
  reason: RepositoryErrorReason;
  message: string;
  stack: string | undefined;
  causes: string[];
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  bytesPerSecond?: number | undefined;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  onProgress: ((progress: Progress) => void) | undefined;
}

/** Not those of its parent, which is to be small. Garbage is collected early: without limits the heap of a walk through many files grows with them. */
export const HEAP = [
  '--max-semi-space-size=4',
  '--max-old-space-size=200',
  // KiB, of the 8 MiB that the system gives: enough for the deepest tree that is taken.
  '--stack-size=3000',
];
/** What leaves something to repair when it is killed; an `open` that is repeated repairs by itself. */
const CHANGING: ReadonlySet<Name> = new Set(['snapshot', 'restore', 'fork', 'delete', 'removeWorktree']);
/** Who steps and saves, step after step, waits for a new process (0.1 s) only once. */
const IDLE_MS = 30_000;
// Bundled, all files are in one folder and end in .js.
export const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js', import.meta.url),
);

export class Lane implements AsyncDisposable {
  readonly #options: Omit<EngineOptions, 'log'>;
  readonly #log: RepairLog | undefined;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  /** Of the child that is being ended, until it is gone. */
  #stopping: Promise<unknown> | undefined;
  /** What those that were killed had begun, and nobody has waited for. */
  #orphans: number[] = [];
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  #closed = false;

  constructor({ log, ...options }: EngineOptions) {
    this.#options = options;
    this.#log = log;
  }

  /** @throws RepositoryError */
  call<N extends Name>(name: N, input: Input<N>, options: CallOptions = {}): Promise<Output<N>> {
    const result = this.#last.then(() => this.#run(name, input, options));
    this.#last = result.catch(() => {});
    return result as Promise<Output<N>>;
  }

  /** Calls under way end with `Aborted`; what they left is repaired by the next writer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#stop();
    await this.#last;
  }

  async #run(name: Name, input: unknown, options: CallOptions): Promise<unknown> {
    const { signal } = options;
    // One that idled too long and was killed just now still looks as if it could be asked.
    await this.#stopping;
    if (this.#closed) throw new RepositoryError('Aborted', 'the repository is closed');
    if (signal?.aborted) throw new RepositoryError('Aborted', 'the operation was cancelled');
    const abort = () => void this.#stop();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await this.#send(name, input, options);
    } catch (error) {
      if (signal?.aborted && CHANGING.has(name) && !this.#closed) await this.#send('repair', undefined);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #send(name: Name, input: unknown, options: CallOptions = {}): Promise<unknown> {
    const { onProgress, bytesPerSecond } = options;
    clearTimeout(this.#idle);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject, onProgress });
    try {
      this.#child ??= this.#start();
      const call: Call = { id, options: this.#options, name, input, bytesPerSecond };
      // A failure to send is followed by the child's exit, which rejects.
      this.#child.send(call, () => {});
      return await promise;
    } finally {
      this.#pending.delete(id);
      this.#idle = setTimeout(() => void this.#stop(), IDLE_MS).unref();
    }
  }

  #start(): ChildProcess {
    const child = fork(ENTRY, {
      serialization: 'advanced',
      execArgv: HEAP,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (answer: Answer) => this.#answered(answer));
    const ended = (how: string, cause?: unknown) => {
      if (this.#child === child) this.#child = this.#stopping = undefined;
      const error = child.killed
        ? new RepositoryError('Aborted', 'the operation was cancelled')
        : new RepositoryError('Internal', `the engine's process ended, by ${how}: see its memory limit`, {
            cause,
          });
      for (const { reject } of this.#pending.values()) reject(error);
    };
    child.on('error', (cause) => ended(cause.message, cause));
    child.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    return child;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    if (!child) return;
    this.#stopping ??= new Promise((resolve) => child.once('exit', resolve));
    const left = childrenOf(child.pid);
    child.kill('SIGKILL');
    await this.#stopping;
    this.#orphans = reap([...this.#orphans, ...left]);
  }

  #answered(answer: Answer): void {
    if (answer.kind === 'log') {
      this.#log?.info(answer.fields, answer.message);
      return;
    }
    const pending = this.#pending.get(answer.id);
    if (answer.kind === 'progress') pending?.onProgress?.(answer.progress);
    if (answer.kind === 'result') pending?.resolve(answer.value);
    if (answer.kind === 'error') pending?.reject(inflate(answer.error));
  }
}

/** The other side: answers the calls of the process that started this one, and ends with it. */
export function serve(parent: NodeJS.Process): void {
  const post = (answer: Answer) => parent.send?.(answer);
  const log = {
    info: (fields: object, message = '') => post({ kind: 'log', fields: flatFields(fields), message }),
  } as RepairLog;
  parent.on('disconnect', () => parent.exit());
  parent.on('message', async (call: Call) => {
    try {
      const engine = new Engine({ ...call.options, log });
      post({ id: call.id, kind: 'result', value: await perform(engine, call, post) });
    } catch (error) {
      post({ id: call.id, kind: 'error', error: flatten(error) });
    }
  });
}

function perform(engine: Engine, call: Call, post: (answer: Answer) => void): Promise<unknown> {
  const control = {
    progress: (progress: Progress) => post({ id: call.id, kind: 'progress', progress }),
    step: () => {},
    ...(call.bytesPerSecond && { pace: pacer(call.bytesPerSecond) }),
  };
  switch (call.name) {
    case 'open':
      return engine.open();
    case 'repair':
      return engine.repair();
    case 'snapshot':
      return engine.snapshot(call.input as Input<'snapshot'>, control);
    case 'restore':
      return engine.restore(call.input as Input<'restore'>, control);
    case 'fork':
      return engine.fork(call.input as Input<'fork'>, control);
    case 'delete':
      return engine.delete(call.input as Input<'delete'>, control);
    case 'removeWorktree':
      return engine.removeWorktree(call.input as Input<'removeWorktree'>, control);
    case 'verify':
      return engine.verify(call.input as Input<'verify'>, control);
  }
}

function flatFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, v instanceof Error ? v.message : v]));
}

export function flatten(error: unknown): FlatError {
  const known = error instanceof RepositoryError ? error : undefined;
  const causes: string[] = [];
  for (
    let cause = error instanceof Error ? error.cause : undefined;
    cause instanceof Error;
    cause = cause.cause
  ) {
    causes.push(cause.message);
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { reason: known?.reason ?? 'Internal', message, stack, causes };
}

export function inflate(flat: FlatError): RepositoryError {
  const cause = flat.causes.reduceRight<Error | undefined>(
    (below, message) => new Error(message, below && { cause: below }),
    undefined,
  );
  const error = new RepositoryError(flat.reason, flat.message, cause && { cause });
  if (flat.stack !== undefined) error.stack = flat.stack;
  return error;
}
