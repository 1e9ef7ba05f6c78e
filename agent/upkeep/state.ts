// What the agent must not forget while no operator tells it: on the volume, in `.jvs/agent/`.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';

/** spec.autoSnapshot, spec.retentionPolicy and the pins, as the operator last said. */
export const rulesSchema = z.object({
  schedule: z.optional(
    z.object({
      cron: z.string(),
      timeZone: z.string(),
      tags: z.array(z.string()),
      suspend: z.boolean(),
      skipUnchanged: z._default(z.boolean(), false),
      startingDeadlineSeconds: z.optional(z.number()),
    }),
  ),
  policy: z.optional(
    z.object({
      keepMinSnapshots: z.number(),
      /** Milliseconds. */
      keepMinAge: z.number(),
      keepTags: z.array(z.string()),
    }),
  ),
  maxSnapshots: z.optional(z.number()),
  pinned: z.array(z.string()),
  /** Uids of requests whose outcome the operator has not taken yet. */
  requests: z.array(z.string()),
  allowMassPrune: z.boolean(),
});
export type Rules = z.infer<typeof rulesSchema>;

/** Until an operator has spoken. */
export const noRules: Rules = { pinned: [], requests: [], allowMassPrune: false };

export function rulesOf({ schedule, retention, pinned, snapshots, allowMassPrune }: DesiredState): Rules {
  const policy = retention?.policy;
  return {
    ...(schedule && {
      schedule: {
        cron: schedule.cron,
        timeZone: schedule.timeZone || 'UTC',
        tags: schedule.tags,
        suspend: schedule.suspend,
        skipUnchanged: schedule.skipUnchanged,
        ...(schedule.startingDeadlineSeconds !== undefined && {
          startingDeadlineSeconds: Number(schedule.startingDeadlineSeconds),
        }),
      },
    }),
    ...(policy && {
      policy: {
        keepMinSnapshots: policy.keepMinSnapshots,
        keepMinAge: Math.min(Number(policy.keepMinAgeSeconds) * 1000, Number.MAX_SAFE_INTEGER),
        keepTags: policy.keepTags,
      },
    }),
    ...(retention?.maxAutoSnapshots && { maxSnapshots: retention.maxAutoSnapshots }),
    pinned,
    requests: snapshots.map(({ uid }) => uid),
    allowMassPrune,
  };
}

/** Files of JSON. One that can not be read costs what it held, is set aside, and said. */
export class StateStore {
  /** Names of files that could not be read, and of where they are now. */
  readonly damaged: { name: string; path: string }[] = [];
  readonly #folder: string;
  readonly #log: Logger;
  readonly #saved = new Map<string, string>();
  #failing = false;

  constructor(volume: string, log: Logger) {
    this.#folder = join(volume, '.jvs/agent');
    this.#log = log;
  }

  /** undefined where there is none, or none that can be read. */
  async load<T>(name: string, schema: z.ZodMiniType<T>): Promise<T | undefined> {
    const path = join(this.#folder, `${name}.json`);
    try {
      return schema.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      const aside = `${path}.damaged`;
      this.#log.error({ err, path, aside }, 'a state file can not be read: going on without it');
      await rename(path, aside).catch(() => {}); // the next save replaces it anyway
      this.damaged.push({ name, path: aside });
      return undefined;
    }
  }

  /**
   * Replaced as a whole, on the disk when it resolves. Never throws: on a full volume retention must go on, as it
   * makes room; what was not saved is known as long as this process lives.
   */
  async save(name: string, value: unknown): Promise<void> {
    const text = JSON.stringify(value);
    if (this.#saved.get(name) === text) return;
    try {
      await this.#write(name, text);
      this.#saved.set(name, text);
      this.#failing = false;
    } catch (err) {
      if (!this.#failing) this.#log.error({ err, name }, 'the state of the agent can not be saved');
      this.#failing = true;
    }
  }

  async #write(name: string, text: string): Promise<void> {
    // Not more than that: where there is no repository, there is nothing to remember.
    await mkdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    // Another agent of the volume may be at it too.
    const temporary = join(this.#folder, `.jvs-tmp-${name}-${randomBytes(4).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        await file.writeFile(text);
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
}
