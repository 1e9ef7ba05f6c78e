// One writer: the right to change the repository is the highest numbered file in `.jvs/agent/lease/`.
//
// A number is taken by creating its file exclusively, and only once the one before is released or dead, so that
// two who see the same dead lease can not both take it over. Whoever stalls and then creates a number that was
// passed by in the meantime finds a higher one and gives up. The number is a fencing token: it only grows.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod/mini';
import { CLOCK_SKEW_MS, RepositoryError } from '../repository.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';

/** Without renewal for so long, a lease whose holder can not be looked at is dead. */
const TTL_MS = 15_000;
/** The same where the holder is seen to live, but does nothing. */
const HUNG_MS = 300_000;
const RENEW_MS = 3_000;
const POLL_MS = 100;

const content = z.object({
  holder: z.string(),
  boot_id: z.string(),
  /** The holder's process, as seen in its pid namespace. */
  pid: z.number(),
  pid_namespace: z.string(),
  pid_started: z.string(),
  /** Changes with every renewal. */
  nonce: z.string(),
  /** Unix ms. */
  expires_at: z.number(),
  released: z.boolean(),
});
type Content = z.infer<typeof content>;

export interface LeaseOptions {
  directory: string;
  holder: string;
  /** How long to wait for another holder, ms. */
  waitMs: number;
}

export class Lease implements AsyncDisposable {
  readonly #file: string;
  readonly #options: LeaseOptions;
  readonly #number: number;
  readonly #timer: NodeJS.Timeout;
  #renewedAt = performance.now();
  #lost: RepositoryError | undefined;

  private constructor(options: LeaseOptions, number: number) {
    this.#options = options;
    this.#number = number;
    this.#file = leaseFile(options.directory, number);
    // Long synchronous work renews through `renew`; while it waits for a child, this does.
    this.#timer = setInterval(() => {
      try {
        this.renew();
      } catch {
        // kept in #lost, thrown at the next use
      }
    }, RENEW_MS);
  }

  /** @throws RepositoryError Busy when another holder is alive for all of `waitMs` */
  static async acquire(options: LeaseOptions): Promise<Lease> {
    const deadline = performance.now() + options.waitMs;
    let seen: { number: number; text: string; since: number } | undefined;
    for (;;) {
      const number = highest(options.directory);
      const text = number === 0 ? undefined : readIfThere(leaseFile(options.directory, number));
      if (text !== undefined && (seen?.number !== number || seen.text !== text)) {
        seen = { number, text, since: performance.now() };
      }
      const free = text === undefined || !isAlive(text, performance.now() - (seen?.since ?? 0));
      if (free) {
        const lease = take(options, number + 1);
        if (lease) return new Lease(options, number + 1);
      } else if (performance.now() >= deadline) {
        throw busy(text);
      }
      await sleep(POLL_MS);
    }
  }

  /** Cheap; to be called often in long synchronous work. @throws RepositoryError Busy when the lease is lost */
  renew(): void {
    if (performance.now() - this.#renewedAt >= RENEW_MS) this.confirm();
    if (this.#lost) throw this.#lost;
  }

  /** Whether nobody has taken over. */
  get held(): boolean {
    return !this.#lost && highest(this.#options.directory) === this.#number;
  }

  /**
   * The same, but every step throws when another has taken over: a writer that was paused for so long must not go on
   * with what the other has repaired.
   */
  guard<T extends { step(point: string): void }>(control: T): T {
    return {
      ...control,
      step: (point: string) => {
        control.step(point);
        this.#check();
      },
    };
  }

  /** Makes sure that this is still the one writer, before a step that can not be taken back. */
  confirm(): void {
    this.#check();
    writeAtomic(this.#file, describe(this.#options.holder, false), { durable: false });
    this.#renewedAt = performance.now();
  }

  #check(): void {
    if (!this.held) {
      this.#lost ??= new RepositoryError('Busy', 'another writer took the repository over; try again');
      throw this.#lost;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    // Stays as the highest number; the next holder removes it. Without room to say so, it is as good as dead.
    try {
      if (this.held) writeFileSync(this.#file, describe(this.#options.holder, true));
    } catch (error) {
      // Where nothing can be written any more it expires; what it was held for has failed of that, and says so.
      if (hasCode(error, 'EROFS', 'EIO')) return;
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
      rmSync(this.#file, { force: true });
    }
  }
}

function leaseFile(directory: string, number: number): string {
  return join(directory, `${number}.json`);
}

function numbers(directory: string): number[] {
  return readdirSync(directory).flatMap((name) => {
    const match = /^(\d+)\.json$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

function highest(directory: string): number {
  try {
    return Math.max(0, ...numbers(directory));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}

/** Whether the number could be taken. */
function take(options: LeaseOptions, number: number): boolean {
  const { directory, holder } = options;
  ensureDirectory(directory);
  const file = leaseFile(directory, number);
  try {
    writeFileSync(file, describe(holder, false), { flag: 'wx', mode: 0o644 });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    rmSync(file, { force: true });
    throw error;
  }
  const all = numbers(directory);
  if (Math.max(...all) !== number) {
    rmSync(file, { force: true });
    return false;
  }
  for (const old of all) if (old < number) rmSync(leaseFile(directory, old), { force: true });
  return true;
}

function describe(holder: string, released: boolean): string {
  return `${JSON.stringify({ holder, ...identity(), nonce: randomUUID(), expires_at: Date.now() + TTL_MS, released } satisfies Content)}\n`;
}

function identity() {
  return {
    boot_id: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pid: process.pid,
    pid_namespace: readlinkSync('/proc/self/ns/pid'),
    pid_started: startOf(process.pid) ?? '',
  };
}

/** When a process started, in the kernel's ticks: with the pid it names one process of a boot. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** `unchangedMs`: for how long we have seen this very text. */
function isAlive(text: string, unchangedMs: number): boolean {
  const lease = parse(text);
  // Being written, or cut short by a crash of its writer.
  if (!lease) return unchangedMs < TTL_MS;
  if (lease.released) return false;
  const own = identity();
  if (lease.boot_id === own.boot_id && lease.pid_namespace === own.pid_namespace) {
    if (startOf(lease.pid) !== lease.pid_started) return false;
    // A thread of this very process can have ended; another process may hang on a slow disk.
    return unchangedMs < (lease.pid === own.pid ? TTL_MS : HUNG_MS);
  }
  if (Date.now() > lease.expires_at + CLOCK_SKEW_MS) return false;
  return unchangedMs < TTL_MS;
}

function parse(text: string): Content | undefined {
  try {
    return content.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function busy(text: string): RepositoryError {
  const holder = parse(text)?.holder ?? 'unknown';
  return new RepositoryError('Busy', `${holder} is changing the repository; try again when it is done`);
}
