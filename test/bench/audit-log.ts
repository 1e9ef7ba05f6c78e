// How much is asked of an API server that writes an audit log (test/cluster/audit.ts).
import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

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
    const file = await open(this.#file);
    try {
      let count = 0;
      for await (const line of file.readLines({ start })) {
        if (line.includes('"stage":"ResponseComplete"') && !line.includes('"resource":"leases"')) count++;
      }
      return count;
    } finally {
      await file.close();
    }
  }
}
