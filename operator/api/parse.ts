// From what the API server sends to what the controllers trust.
import * as z from 'zod';
import { toDotPath } from 'zod/v4/core';
import { TerminalError } from '../runtime/errors.ts';
import type { KubeObject, ObjectMeta } from '../runtime/types.ts';

export const apiVersion = 'jvs.io/v1alpha1';

/** A resource whose spec this operator can not read. `message` names each field and says what it must be. */
export class InvalidResource extends Error {
  override readonly name = 'InvalidResource';
}

const envelope = z.object({
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});

/** Fills the spec's defaults. A status that does not fit is dropped, for it is made anew. Throws InvalidResource. */
export function parseResource<Kind extends string, Spec, Status>(
  kind: Kind,
  specSchema: z.ZodType<Spec>,
  statusSchema: z.ZodType<Status>,
  object: unknown,
): { apiVersion: typeof apiVersion; kind: Kind; metadata: ObjectMeta; spec: Spec; status?: Status } {
  const { metadata, spec, status } = check(envelope, object, []);
  const known = statusSchema.safeParse(status);
  return {
    apiVersion,
    kind,
    metadata,
    spec: check(specSchema, spec ?? {}, ['spec']),
    ...(known.success && { status: known.data }),
  };
}

const unreadable = new WeakMap<object, InvalidResource>();

/**
 * For what an informer keeps: parsed once, when it comes. What can not be parsed is kept as it came, and is said to be
 * so by `assertReadable`.
 */
export function parsedBy<T extends KubeObject>(parse: (object: unknown) => T): (object: T) => T {
  return (object) => {
    try {
      return parse(object);
    } catch (error) {
      if (!(error instanceof InvalidResource)) throw error;
      unreadable.set(object, error);
      return object;
    }
  };
}

export const isReadable = (object: KubeObject): boolean => !unreadable.has(object);

/**
 * `tell`: of what is the matter and what to do.
 * @throws TerminalError for an object of an informer that could not be parsed, with InvalidResource as its cause
 */
export function assertReadable(object: KubeObject, tell: (message: string) => void = () => {}): void {
  const cause = unreadable.get(object);
  if (!cause) return;
  tell(
    `${cause.message}. This operator can not read it and does nothing for it: install the operator that it was written for, or correct it`,
  );
  throw new TerminalError(`${object.kind} ${object.metadata.name} can not be read`, { cause });
}

function check<T>(schema: z.ZodType<T>, value: unknown, at: string[]): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${toDotPath([...at, ...path])}: ${message}`,
  );
  throw new InvalidResource(problems.join('; '), { cause: result.error });
}
