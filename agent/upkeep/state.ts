// What the agent must not forget while no operator tells it: on the volume, in `.jvs/agent/`.
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
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

export function rulesOf({ schedule, retention, pinned, snapshots, allowMassPrune }: DesiredState): Rules {
  const policy = retention?.policy;
  return {
    ...(schedule && {
      schedule: {
        cron: schedule.cron,
        timeZone: schedule.timeZone || 'UTC',
        tags: schedule.tags,
        suspend: schedule.suspend,
        ...(schedule.startingDeadlineSeconds !== undefined && {
          startingDeadlineSeconds: Number(schedule.startingDeadlineSeconds),
        }),
      },
    }),
    ...(policy && {
      policy: {
        keepMinSnapshots: policy.keepMinSnapshots,
        keepMinAge: Number(policy.keepMinAgeSeconds) * 1000,
        keepTags: policy.keepTags,
      },
    }),
    ...(retention?.maxAutoSnapshots && { maxSnapshots: retention.maxAutoSnapshots }),
    pinned,
    requests: snapshots.map(({ uid }) => uid),
    allowMassPrune,
  };
}

const happening = z.object({ id: z.string(), time: z.string(), reason: z.string(), message: z.string() });

/** What the operator has to hear although nobody may have listened when it happened. Oldest first. */
export const journalSchema = z.object({
  removed: z.array(happening),
  notices: z.array(happening.extend({ warning: z.boolean() })),
});
export type Journal = z.infer<typeof journalSchema>;
export type Removal = Journal['removed'][number];
export type Notice = Journal['notices'][number];

/** Files of JSON. One that can not be read costs what it held, and is said. */
export class StateStore {
  readonly #folder: string;
  readonly #log: Logger;

  constructor(volume: string, log: Logger) {
    this.#folder = join(volume, '.jvs/agent');
    this.#log = log;
  }

  /** undefined where there is none, or none that can be read. */
  async load<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const path = join(this.#folder, `${name}.json`);
    try {
      return schema.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#log.error({ err, path }, 'a state file can not be read: going on without it');
      return undefined;
    }
  }

  /** Replaced as a whole, on the disk when it resolves. */
  async save(name: string, value: unknown): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${name}.json`);
    const temporary = join(this.#folder, `.jvs-tmp-${name}`);
    const file = await open(temporary, 'w', 0o644);
    try {
      await file.writeFile(JSON.stringify(value));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }
}
