// How much is asked of an API server that writes an audit log (test/cluster/audit.ts).
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditEvents } from './audit-events.ts';

export class AuditLog {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Runs `work` and counts the requests meanwhile, but for leases. */
  async requests(work: () => Promise<unknown>): Promise<number> {
    const { size } = await stat(this.#file);
    await work();
    return this.#since(size);
  }

  /** Resolves when nothing but leases has been asked for so many milliseconds. */
  async silence(milliseconds: number): Promise<void> {
    for (;;) {
      const { size } = await stat(this.#file);
      await sleep(milliseconds);
      if ((await this.#since(size)) === 0) return;
    }
  }

  async #since(start: number): Promise<number> {
    let count = 0;
    for await (const { stage, objectRef } of auditEvents(this.#file, start)) {
      if (stage === 'ResponseComplete' && objectRef?.resource !== 'leases') count++;
    }
    return count;
  }
}
