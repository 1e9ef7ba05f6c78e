// What a pod's annotations ask of the injection.
import * as z from 'zod';
import { quantityValue } from '../api/quantity.ts';
import { worktreeName } from '../api/schema.ts';
import { Refusal } from './refusal.ts';

export interface PodOptions {
  /** Names of the containers that get the volume; all when absent. */
  containers?: readonly string[];
  /** What the containers work in; main when absent. */
  worktree?: string;
  image?: string;
  runAs?: { user: number; group?: number };
  logLevel?: string;
  /** Resources of the agent, over those of the operator's configuration. */
  requests: Record<string, string>;
  limits: Record<string, string>;
  /** For the person who makes the pod. */
  warnings: string[];
}

const agentPrefix = 'jvs.io/agent-';
const maxId = 2 ** 31 - 1;

const quantity = z
  .string()
  .refine((text) => quantityValue(text) !== undefined, 'must be a quantity such as 100m or 128Mi');

const annotationsSchema = z.object({
  'jvs.io/containers': z
    .string()
    .transform((list) => list.split(',').map((name) => name.trim()))
    .refine((names) => names.every((name) => name !== ''), 'must be names of containers, such as app,worker')
    .optional(),
  'jvs.io/worktree': worktreeName.optional(),
  'jvs.io/agent-image': z
    .string()
    .regex(
      /^[a-zA-Z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
      'must be the name of an image such as registry.example.com/jvs-agent:1.2.3',
    )
    .optional(),
  'jvs.io/agent-run-as': z
    .string()
    .regex(/^\d{1,10}(:\d{1,10})?$/, 'must be a user id, or user:group, such as 1000 or 1000:1000')
    .transform((text) => text.split(':').map(Number))
    .refine((ids) => ids.every((id) => id <= maxId), `must hold ids up to ${maxId}`)
    .optional(),
  'jvs.io/agent-log-level': z
    .enum(['trace', 'debug', 'info', 'warn', 'error'], {
      error: 'must be one of trace, debug, info, warn and error',
    })
    .optional(),
  'jvs.io/agent-cpu-request': quantity.optional(),
  'jvs.io/agent-cpu-limit': quantity.optional(),
  'jvs.io/agent-memory-request': quantity.optional(),
  'jvs.io/agent-memory-limit': quantity.optional(),
});

/** @throws Refusal when an annotation of ours does not fit */
export function parseAnnotations(annotations: Record<string, string> = {}): PodOptions {
  const result = annotationsSchema.safeParse(annotations);
  if (!result.success) {
    const problems = result.error.issues.map(
      ({ path, message }) => `annotation ${path.join('.')} ${message}`,
    );
    throw new Refusal(problems.join('; '));
  }
  const of = result.data;
  const [user, group] = of['jvs.io/agent-run-as'] ?? [];
  return {
    containers: of['jvs.io/containers'],
    worktree: of['jvs.io/worktree'],
    image: of['jvs.io/agent-image'],
    runAs: user === undefined ? undefined : { user, group },
    logLevel: of['jvs.io/agent-log-level'],
    requests: stated({ cpu: of['jvs.io/agent-cpu-request'], memory: of['jvs.io/agent-memory-request'] }),
    limits: stated({ cpu: of['jvs.io/agent-cpu-limit'], memory: of['jvs.io/agent-memory-limit'] }),
    // A misspelt one must not pass unseen, nor may one of a later version keep a pod from starting.
    warnings: Object.keys(annotations)
      .filter((key) => key.startsWith(agentPrefix) && !Object.hasOwn(annotationsSchema.shape, key))
      .map((key) => `annotation ${key} is not known to the JVS operator: it has no effect`),
  };
}

function stated(values: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}
