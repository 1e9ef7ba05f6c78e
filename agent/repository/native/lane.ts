// A worker thread with an engine in it, started when there is work and ended when there has been none for a
// while, so that an idle agent does not pay for it. Calls run one after another.
import { type MessagePort, Worker } from 'node:worker_threads';
import { type Progress, RepositoryError, type RepositoryErrorReason } from '../repository.ts';
import { Engine, type EngineOptions, type SnapshotRequest } from './engine.ts';
import type { RepairLog } from './repair.ts';

export interface Calls {
  open: { input: undefined; output: Awaited<ReturnType<Engine['open']>> };
  snapshot: { input: SnapshotRequest; output: Awaited<ReturnType<Engine['snapshot']>> };
  verify: { input: string; output: Awaited<ReturnType<Engine['verify']>> };
}
type Name = keyof Calls;

interface Call<N extends Name = Name> {
  id: number;
  name: N;
  input: Calls[N]['input'];
  /** Set to 1 to abort: a synchronous call sees no message. */
  aborted: SharedArrayBuffer;
}

type Answer =
  | { id: number; kind: 'result'; value: unknown }
  | { id: number; kind: 'error'; error: FlatError }
  | { id: number; kind: 'progress'; progress: Progress }
  | { kind: 'log'; fields: object; message: string };

interface FlatError {
  reason: RepositoryErrorReason;
  message: string;
  stack: string | undefined;
  causes: string[];
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  onProgress: ((progress: Progress) => void) | undefined;
}

const IDLE_MS = 5_000;
// Bundled, all files are in one folder and end in .js.
const ENTRY = import.meta.url.endsWith('.ts') ? '../worker.ts' : './worker.js';

export class Lane implements AsyncDisposable {
  readonly #options: Omit<EngineOptions, 'log'>;
  readonly #log: RepairLog | undefined;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closed = false;

  constructor({ log, ...options }: EngineOptions) {
    this.#options = options;
    this.#log = log;
  }

  /** @throws RepositoryError */
  async call<N extends Name>(
    name: N,
    input: Calls[N]['input'],
    options: CallOptions = {},
  ): Promise<Calls[N]['output']> {
    if (this.#closed) throw new RepositoryError('Aborted', 'the repository is closed');
    if (options.signal?.aborted) throw new RepositoryError('Aborted', 'the operation was cancelled');
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    const id = ++this.#lastId;
    const aborted = new SharedArrayBuffer(4);
    const abort = () => Atomics.store(new Int32Array(aborted), 0, 1);
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      this.#pending.set(id, { resolve, reject, onProgress: options.onProgress });
      this.#worker.postMessage({ id, name, input, aborted } satisfies Call<N>);
      return (await promise) as Calls[N]['output'];
    } finally {
      options.signal?.removeEventListener('abort', abort);
      this.#pending.delete(id);
      if (this.#pending.size === 0 && !this.#closed) {
        this.#worker?.unref();
        this.#idle = setTimeout(() => void this.#stop(), IDLE_MS).unref();
      }
    }
  }

  /** Calls under way end with `Aborted`; what they left is repaired by the next writer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#stop();
  }

  #start(): Worker {
    const worker = new Worker(new URL(ENTRY, import.meta.url), { workerData: this.#options });
    worker.on('message', (answer: Answer) => this.#answered(answer));
    worker.on('error', (cause) =>
      this.#failAll(new RepositoryError('Internal', `worker: ${cause}`, { cause })),
    );
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#failAll(new RepositoryError('Aborted', 'the operation was stopped'));
    });
    return worker;
  }

  async #stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
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

/** The worker's side. */
export function serve(port: MessagePort, options: Omit<EngineOptions, 'log'>): void {
  const post = (answer: Answer) => port.postMessage(answer);
  const log = {
    info: (fields: object, message?: string) =>
      post({ kind: 'log', fields: flatFields(fields), message: message ?? '' }),
  };
  const engine = new Engine({ ...options, log: log as RepairLog });
  let last: Promise<void> = Promise.resolve();
  port.on('message', (call: Call) => {
    last = last.then(async () => {
      try {
        post({ id: call.id, kind: 'result', value: await run(engine, call, post) });
      } catch (error) {
        post({ id: call.id, kind: 'error', error: flatten(error) });
      }
    });
  });
}

function run(engine: Engine, call: Call, post: (answer: Answer) => void): Promise<unknown> {
  const aborted = new Int32Array(call.aborted);
  const control = {
    aborted: () => Atomics.load(aborted, 0) !== 0,
    progress: (progress: Progress) => post({ id: call.id, kind: 'progress', progress }),
    step: () => {},
  };
  if (control.aborted()) throw new RepositoryError('Aborted', 'the operation was cancelled');
  switch (call.name) {
    case 'open':
      return engine.open();
    case 'snapshot':
      return engine.snapshot(call.input as SnapshotRequest, control);
    case 'verify':
      return engine.verify(call.input as string, control);
  }
}

function flatFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, v instanceof Error ? v.message : v]));
}

function flatten(error: unknown): FlatError {
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

function inflate(flat: FlatError): RepositoryError {
  const cause = flat.causes.reduceRight<Error | undefined>(
    (below, message) => new Error(message, below && { cause: below }),
    undefined,
  );
  const error = new RepositoryError(flat.reason, flat.message, cause && { cause });
  error.stack = flat.stack;
  return error;
}
