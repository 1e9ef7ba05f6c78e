// Starts the process that moves data (worker.ts), talks to it and ends it.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HEAP } from '../repository/native/lane.ts';
import { type Progress, RepositoryError } from '../repository/repository.ts';
import type { Source } from './client.ts';
import type { Order, Word } from './worker.ts';

// Bundled, all files are in one folder and end in .js.
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './transfer.js', import.meta.url),
);

export class TransferProcess implements AsyncDisposable {
  /** Resolves when the process has ended, by itself or not. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  constructor(onWord: (word: Word) => void) {
    this.#child = fork(entry, {
      serialization: 'advanced',
      execArgv: HEAP,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#child.on('message', onWord);
    this.#child.on('error', (error) => {
      onWord({ failed: { reason: 'Internal', message: error.message } });
      resolve();
    });
    this.#child.on('exit', () => resolve());
  }

  order(order: Order): void {
    // A failure to send is followed by the end of the process.
    this.#child.send(order, () => {});
  }

  /** At once: what it was at survives that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

export interface ReceiveOptions {
  /** Root of the volume. */
  volume: string;
  holder: string;
  source: Source;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** The snapshot is published on the volume when it resolves. @throws RepositoryError */
export async function receiveSnapshot(options: ReceiveOptions): Promise<void> {
  const { volume, holder, source, signal, onProgress } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  await using worker = new TransferProcess((word) => {
    if ('progress' in word) onProgress(word.progress);
    if ('received' in word) resolve();
    if ('failed' in word) reject(new RepositoryError(word.failed.reason, word.failed.message));
  });
  const aborted = () => reject(new RepositoryError('Aborted', 'the transfer was cancelled'));
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  void worker.ended.then(() =>
    reject(new RepositoryError('Internal', 'the process that receives ended: see its memory limit')),
  );
  worker.order({ receive: { volume, holder, source } });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', aborted);
  }
}
