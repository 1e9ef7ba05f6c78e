// Serves the snapshots that the operator wants exported, while it wants any: a workspace that is no source of another
// one pays nothing for it, and has no open port.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backoff, backoffMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import { Emitter } from '../emitter.ts';
import { TransferProcess } from './process.ts';
import type { Exported } from './server.ts';

export interface ExporterOptions {
  /** Root of the volume. */
  path: string;
  port: number;
  /** What the operator wants, each time that it says so. */
  desired: Emitter<[DesiredState]>;
  log: Logger;
  retry?: Backoff;
}

export class Exporter {
  /** After every change of the certificate. */
  readonly changes = new Emitter<[]>();
  readonly #options: Required<ExporterOptions>;
  readonly #unsubscribe: () => void;
  #certificate = '';
  #exports: readonly Exported[] = [];
  #worker: TransferProcess | undefined;
  #idle = new AbortController();
  #runs: Promise<void> = Promise.resolve();

  constructor(options: ExporterOptions) {
    this.#options = { retry: { baseMs: 500, capMs: 30_000 }, ...options };
    this.#idle.abort();
    this.#unsubscribe = options.desired.subscribe(({ role, exports }) =>
      // The snapshots of a standby are the primary's to give.
      this.#setExports(role === 'ROLE_PRIMARY' ? exports : []),
    );
  }

  /** SHA-256 of the certificate that exports are served with, hexadecimal; empty while none are. */
  get certificateSha256(): string {
    return this.#certificate;
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#setExports([]);
    await this.#runs;
  }

  #setExports(exports: readonly Exported[]): void {
    this.#exports = exports;
    this.#worker?.order({ exports });
    if (exports.length === 0) this.#idle.abort();
    else if (this.#idle.signal.aborted) {
      this.#idle = new AbortController();
      const { signal } = this.#idle;
      this.#runs = this.#runs.then(() => this.#serve(signal));
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { retry, log } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      await this.#run(signal);
      this.#set('');
      if (signal.aborted) return;
      log.error('the process that serves exports has ended; starting it again');
      await sleep(backoffMs(retry, attempt), undefined, { signal }).catch(() => {}); // aborted: the loop ends
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { path, port, log } = this.#options;
    await using worker = new TransferProcess((word) => {
      if ('serving' in word) {
        log.info({ port: word.serving.port }, 'serving exports');
        worker.order({ exports: this.#exports });
        this.#set(word.serving.certificateSha256);
      }
      if ('failed' in word) {
        log.error({ problem: word.failed.message, port }, 'exports can not be served');
        failed.abort();
      }
    });
    const failed = new AbortController();
    this.#worker = worker;
    worker.order({ serve: { volume: path, port } });
    const over = AbortSignal.any([signal, failed.signal]);
    const aborted = new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }));
    if (!over.aborted) await Promise.race([aborted, worker.ended]);
    this.#worker = undefined;
  }

  #set(certificate: string): void {
    if (this.#certificate === certificate) return;
    this.#certificate = certificate;
    this.changes.emit();
  }
}
