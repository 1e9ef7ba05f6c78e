// Conditions as the Kubernetes API conventions have them.
import * as z from 'zod';
import { int64, rfc3339, string, time } from './schema.ts';

export const conditionSchema = z
  .object({
    type: string(316).meta({ description: 'What this is about, in CamelCase.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it is so.' }),
    reason: string(1024).meta({ description: 'Why, in one CamelCase word, for programs.' }),
    message: string(32768).meta({ description: 'Why and what to do about it, for people.' }),
    lastTransitionTime: time.meta({ description: 'When the status last changed.' }),
    observedGeneration: int64(0)
      .optional()
      .meta({ description: 'The metadata.generation that this was said of.' }),
  })
  .meta({ description: 'One aspect of the state.' });

export type Condition = z.infer<typeof conditionSchema>;

export const conditionsSchema = z
  .array(conditionSchema)
  .max(32)
  .meta({
    description: 'Aspects of the state, one of each type.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });

export const conditionOf = (
  object: { status?: { conditions?: Condition[] } },
  wanted: string,
): Condition | undefined => object.status?.conditions?.find(({ type }) => type === wanted);

/**
 * The conditions with one of them set: in its place where the type is there already, else at the end.
 * `lastTransitionTime` is `now` (to the second) only when the status is new or another.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: Date,
): Condition[] {
  const before = conditions?.find(({ type }) => type === next.type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : rfc3339(now);
  const condition: Condition = { ...next, lastTransitionTime };
  return before
    ? (conditions ?? []).map((old) => (old.type === next.type ? condition : old))
    : [...(conditions ?? []), condition];
}

/** The same, said of a later generation, which changes nothing in it: who waits for a condition heeds none of an earlier one. */
export const observedAt = (conditions: readonly Condition[] = [], generation: number): Condition[] =>
  conditions.map((condition) => ({ ...condition, observedGeneration: generation }));

/** The status of what is settled, when there is a later spec to be taken note of; undefined when there is none. */
export function statusOfLaterSpec<S extends { observedGeneration?: number; conditions?: Condition[] }>({
  metadata: { generation = 0 },
  status,
}: {
  metadata: { generation?: number };
  status?: S;
}): (S & { observedGeneration: number; conditions: Condition[] }) | undefined {
  if ((status?.observedGeneration ?? 0) >= generation) return undefined;
  const conditions = observedAt(status?.conditions, generation);
  return { ...(status as S), observedGeneration: generation, conditions };
}
