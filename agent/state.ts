// What the agent must not forget while no operator tells it: on the volume, in `.jvs/agent/`.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ZodMiniType } from 'zod/mini';
import type { Logger } from '../shared/log.ts';
import { hasCode } from './repository/native/fs/errors.ts';

const pathOf = (volume: string, name: string) => join(volume, '.jvs/agent', `${name}.json`);

/** What was read is not what was written. */
export class DamagedState extends Error {}

/**
 * undefined where there is none.
 * @throws DamagedState; Error where the disk can not tell: ask again later
 */
export async function readState<T>(
  volume: string,
  name: string,
  schema: ZodMiniType<T>,
): Promise<T | undefined> {
  const path = pathOf(volume, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new Error(`${path} can not be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DamagedState(`${path} is damaged: ${(cause as Error).message}`, { cause });
  }
}

/** An error of the disk may pass. One that does not is damage too: the agent is not to stand still for it. */
const PATIENCE_MS = 5 * 60_000;
/** Who needs it tries again sooner. */
const AGAIN_MS = 3 * 60_000;
/** That is no error of the file's. */
const OF_PROCESS = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** Files of JSON. One that is damaged costs what it held, is set aside, and said. */
export class StateStore {
  /** Names of files that were damaged, and of where they are now. */
  readonly damaged: { name: string; path: string }[] = [];
  readonly #volume: string;
  readonly #log: Logger;
  readonly #saved = new Map<string, string>();
  /** Since when they can not be read, and when that was last tried, by name; monotonic ms. */
  readonly #unreadable = new Map<string, { since: number; tried: number }>();
  readonly #patienceMs: number;
  #failure: string | undefined;

  constructor(volume: string, log: Logger, { patienceMs = PATIENCE_MS } = {}) {
    this.#volume = volume;
    this.#log = log;
    this.#patienceMs = patienceMs;
  }

  /** Why what was last to be saved is not; undefined where it is. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** As `readState`, but undefined where there is only a damaged one, and one that can not be read for minutes is. */
  async load<T>(name: string, schema: ZodMiniType<T>): Promise<T | undefined> {
    try {
      const state = await readState(this.#volume, name, schema);
      this.#unreadable.delete(name);
      return state;
    } catch (err) {
      const damaged = err instanceof DamagedState;
      if (!damaged && this.#mayPass(name, err)) throw err;
      const path = pathOf(this.#volume, name);
      const aside = `${path}.damaged`;
      try {
        await rename(path, aside);
      } catch {
        // The next save replaces what is damaged. Of a disk that does nothing at all nothing is known.
        if (!damaged) throw err;
      }
      this.#log.error({ err, path, aside }, 'a state file is damaged: going on without it');
      this.#unreadable.delete(name);
      this.damaged.push({ name, path: aside });
      return undefined;
    }
  }

  #mayPass(name: string, error: unknown): boolean {
    if (hasCode((error as Error).cause, ...OF_PROCESS)) return true;
    const tried = performance.now();
    const before = this.#unreadable.get(name);
    // What nobody asked for in between may have been well.
    const since = before && tried - before.tried < AGAIN_MS ? before.since : tried;
    this.#unreadable.set(name, { since, tried });
    return tried - since < this.#patienceMs;
  }

  /**
   * Replaced as a whole, on the disk when it resolves with true. Never throws: on a full volume retention must go on,
   * as it makes room; what was not saved is known as long as this process lives.
   */
  async save(name: string, value: unknown): Promise<boolean> {
    const text = JSON.stringify(value);
    if (this.#saved.get(name) === text) return true;
    try {
      await this.write(name, value);
      this.#saved.set(name, text);
      this.#failure = undefined;
      return true;
    } catch (err) {
      if (!this.#failure) this.#log.error({ err, name }, 'the state of the agent can not be saved');
      this.#failure = err instanceof Error ? err.message : String(err);
      return false;
    }
  }

  /** As `save`, and rejects where that fails. */
  async write(name: string, value: unknown): Promise<void> {
    // Not more than that: where there is no repository, there is nothing to remember.
    const path = pathOf(this.#volume, name);
    const folder = dirname(path);
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    // Another agent of the volume may be at it too.
    const temporary = join(folder, `.jvs-tmp-${name}-${randomBytes(4).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        await file.writeFile(JSON.stringify(value));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Never throws: what could not be removed is found again. */
  async remove(name: string): Promise<void> {
    this.#saved.delete(name);
    await rm(pathOf(this.#volume, name), { force: true }).catch((err: unknown) => {
      this.#log.error({ err, name }, 'a state file can not be removed');
    });
  }
}
