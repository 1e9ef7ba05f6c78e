// What the agent must not forget while no operator tells it: on the volume, in `.jvs/agent/`.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod/mini';
import type { Logger } from '../shared/log.ts';

/** Files of JSON. One that is damaged costs what it held, is set aside, and said. */
export class StateStore {
  /** Names of files that were damaged, and of where they are now. */
  readonly damaged: { name: string; path: string }[] = [];
  readonly #folder: string;
  readonly #log: Logger;
  readonly #saved = new Map<string, string>();
  #failing = false;

  constructor(volume: string, log: Logger) {
    this.#folder = join(volume, '.jvs/agent');
    this.#log = log;
  }

  /** undefined where there is none, or only a damaged one. Rejects where the disk can not tell: ask again later. */
  async load<T>(name: string, schema: z.ZodMiniType<T>): Promise<T | undefined> {
    const path = join(this.#folder, `${name}.json`);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new Error(`${path} can not be read: ${message}`, { cause });
    }
    try {
      return schema.parse(JSON.parse(text));
    } catch (err) {
      const aside = `${path}.damaged`;
      this.#log.error({ err, path, aside }, 'a state file is damaged: going on without it');
      await rename(path, aside).catch(() => {}); // the next save replaces it anyway
      this.damaged.push({ name, path: aside });
      return undefined;
    }
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
      this.#failing = false;
      return true;
    } catch (err) {
      if (!this.#failing) this.#log.error({ err, name }, 'the state of the agent can not be saved');
      this.#failing = true;
      return false;
    }
  }

  /** As `save`, and rejects where that fails. */
  async write(name: string, value: unknown): Promise<void> {
    // Not more than that: where there is no repository, there is nothing to remember.
    await mkdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    // Another agent of the volume may be at it too.
    const temporary = join(this.#folder, `.jvs-tmp-${name}-${randomBytes(4).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        await file.writeFile(JSON.stringify(value));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.#folder, `${name}.json`));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Never throws: what could not be removed is found again. */
  async remove(name: string): Promise<void> {
    this.#saved.delete(name);
    await rm(join(this.#folder, `${name}.json`), { force: true }).catch((err: unknown) => {
      this.#log.error({ err, name }, 'a state file can not be removed');
    });
  }
}
