import { createHash } from 'node:crypto';
import type { Refusal } from './refusal.ts';

const CAPACITY = 4096;

/** Remembers for a while which tokens were refused, and how. Keeps hashes, never tokens. `now` in ms, monotonic. */
export class Blocklist {
  readonly #entries = new Map<string, { reason: Refusal; until: number }>();

  find(token: string, now: number): Refusal | undefined {
    const entry = this.#entries.get(hash(token));
    return entry && now < entry.until ? entry.reason : undefined;
  }

  add(token: string, reason: Refusal, until: number): void {
    const key = hash(token);
    this.#entries.delete(key);
    this.#entries.set(key, { reason, until });
    // The oldest goes first: a flood of bad tokens costs reviews, not memory.
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= CAPACITY) break;
      this.#entries.delete(oldest);
    }
  }
}

const hash = (token: string) => createHash('sha256').update(token).digest('base64');
