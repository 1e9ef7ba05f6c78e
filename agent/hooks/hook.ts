// A hook of the Workspace: a call of a container of the pod, or a command in the agent's. Whatever it does, it is over
// after its timeout.
import * as z from 'zod/mini';
import type { Hook as HookMessage } from '../../shared/proto/gen/jvs/link/v1/Hook.ts';
import type { Hooks as HooksMessage } from '../../shared/proto/gen/jvs/link/v1/Hooks.ts';
import { runCommand } from './exec.ts';
import { post } from './http.ts';

export const hookSchema = z.object({
  http: z.optional(z.object({ port: z.number(), path: z.string() })),
  exec: z.optional(z.object({ command: z.array(z.string()) })),
  /** Milliseconds. */
  timeout: z.number(),
});
export type Hook = z.infer<typeof hookSchema>;

/** spec.hooks */
export const hooksSchema = z.object({ pre: z.optional(hookSchema), post: z.optional(hookSchema) });
export type Hooks = z.infer<typeof hooksSchema>;

const seconds = { unsaid: 30, most: 3600 };

export function hooksOf(said: HooksMessage | null): Hooks | undefined {
  const [pre, post] = [hookOf(said?.preSnapshot), hookOf(said?.postSnapshot)];
  return pre || post ? { ...(pre && { pre }), ...(post && { post }) } : undefined;
}

function hookOf(said: HookMessage | null | undefined): Hook | undefined {
  if (!said?.http && !said?.exec) return undefined;
  return {
    ...(said.http
      ? { http: { port: said.http.port, path: said.http.path || '/' } }
      : { exec: { command: said.exec?.command ?? [] } }),
    timeout: Math.min(said.timeoutSeconds || seconds.unsaid, seconds.most) * 1000,
  };
}

/** What a hook's command is told, as environment variables. */
export interface HookContext {
  hook: 'preSnapshot' | 'postSnapshot';
  worktree: string;
  /** Root of the volume. */
  volume: string;
}

/** Rejects with what the hook said or did, in a sentence; at the latest when its timeout is over or `signal` aborts. */
export async function runHook(
  { http, exec, timeout }: Hook,
  context: HookContext,
  signal?: AbortSignal,
): Promise<void> {
  const timer = AbortSignal.timeout(timeout);
  const until = signal ? AbortSignal.any([timer, signal]) : timer;
  try {
    if (http) await post(http, until);
    else if (exec) await runCommand(exec.command, context, until);
  } catch (cause) {
    if (!timer.aborted) throw cause;
    throw new Error(`it was not over after ${timeout / 1000} s (timeoutSeconds)`, { cause });
  }
}
