// Around a snapshot: the pre hook freezes the files, the post hook thaws them, whatever became of the snapshot. That
// they are frozen is written down on the volume first, so that the next agent thaws them should this one be killed.
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import type { Logger } from '../../shared/log.ts';
import { Emitter } from '../emitter.ts';
import type { StateStore } from '../state.ts';
import { type Hook, type HookContext, type Hooks, hookSchema, runHook } from './hook.ts';

const markerName = 'quiesced';
const markerSchema = z.object({
  since: z.string(),
  pod: z.string(),
  worktree: z.string(),
  post: hookSchema,
});

/** In words for people, with what to do. `id` is the same until the hook has worked again. */
export interface HookFailure {
  id: string;
  message: string;
}

export interface QuiesceOptions {
  store: StateStore;
  /** Name of this pod. */
  pod: string;
  /** Root of the volume. */
  volume: string;
  log: Logger;
  now: () => number;
}

export interface AroundOptions {
  worktree: string;
  /** The containers that it may call have exited: that nobody answers is no failure. */
  deserted: boolean;
  /** Ends the pre hook, and a post hook owed from before; the post hook after the pre hook runs all the same. */
  signal: AbortSignal;
  /** Ends that one too; it stays owed. */
  over?: AbortSignal;
}

export class Quiesce {
  readonly failures = new Emitter<[HookFailure]>();
  readonly #options: QuiesceOptions;
  #hooks: Hooks = {};
  /** By hook, since when it fails. */
  readonly #failing = new Map<HookContext['hook'], number>();
  #frozen = false;

  constructor(options: QuiesceOptions) {
    this.#options = options;
  }

  /** From the next snapshot on. */
  use(hooks: Hooks | undefined): void {
    this.#hooks = hooks ?? {};
  }

  /** A post hook has failed, and has yet to run; or it can not be told. */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** `take` is told whether the pre hook has done its work. What it gives or throws is handed on. */
  async around<T>(options: AroundOptions, take: (quiesced: boolean) => Promise<T>): Promise<T> {
    const { pre, post } = this.#hooks;
    await this.recover(true, options.signal, options.deserted);
    options.signal.throwIfAborted();
    if (!pre && !post) return take(false);
    const marked = await this.#mark(post, options.worktree);
    let quiesced = false;
    try {
      // Nothing is frozen that nobody would thaw after a crash.
      quiesced =
        marked && pre !== undefined && (await this.#run('preSnapshot', pre, options, options.signal));
      return await take(quiesced);
    } finally {
      if (post) {
        if (await this.#run('postSnapshot', post, options, options.over)) await this.#unmark();
        else this.#frozen = true;
      }
    }
  }

  /**
   * Runs the post hook that a killed agent or a failure left owing, and where it fails again the one that the Workspace
   * has now: it may have been corrected. `anyPod`: one of another pod too. Aborted, it stays owed. `deserted`: as
   * `around` has it.
   */
  async recover(anyPod: boolean, signal?: AbortSignal, deserted = false): Promise<void> {
    const { store, pod, log } = this.#options;
    this.#frozen = true;
    const marker = await store.load(markerName, markerSchema);
    this.#frozen = marker !== undefined;
    if (!marker || (!anyPod && marker.pod !== pod)) return;
    log.warn({ ...marker }, 'files were left frozen: running the postSnapshot hook');
    // What was frozen by HTTP has gone with its pod.
    const options = { worktree: marker.worktree, deserted: deserted || marker.pod !== pod };
    const { post } = this.#hooks;
    const corrected = post && !isDeepStrictEqual(post, marker.post) ? [post] : [];
    for (const hook of [marker.post, ...corrected]) {
      if (signal?.aborted) return;
      if (await this.#run('postSnapshot', hook, options, signal)) return this.#unmark();
    }
  }

  async #mark(post: Hook | undefined, worktree: string): Promise<boolean> {
    if (!post) return true;
    const { store, pod, now } = this.#options;
    try {
      await store.write(markerName, { since: new Date(now()).toISOString(), pod, worktree, post });
      return true;
    } catch (error) {
      this.#failed(
        'preSnapshot',
        `it was not run, for the agent can not write to the volume: ${text(error)}`,
      );
      return false;
    }
  }

  async #unmark(): Promise<void> {
    await this.#options.store.remove(markerName);
    this.#frozen = false;
  }

  async #run(
    hook: HookContext['hook'],
    what: Hook,
    { worktree, deserted }: Pick<AroundOptions, 'worktree' | 'deserted'>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { volume, log } = this.#options;
    try {
      await runHook(what, { hook, worktree, volume }, signal);
      this.#failing.delete(hook);
      return true;
    } catch (err) {
      if (signal?.aborted) return false;
      if (deserted && (err as NodeJS.ErrnoException).code === 'ECONNREFUSED') return hook === 'postSnapshot';
      log.warn({ err, hook }, 'a hook has failed');
      this.#failed(hook, text(err));
      return false;
    }
  }

  #failed(hook: HookContext['hook'], why: string): void {
    const { now } = this.#options;
    const said = this.#failing.has(hook);
    const since = this.#failing.get(hook) ?? now();
    this.#failing.set(hook, since);
    if (said) return;
    const outcome =
      hook === 'preSnapshot'
        ? 'Snapshots are taken all the same, crash-consistent'
        : 'It is tried again until it has worked; files may be frozen until then';
    this.failures.emit({
      id: `hook-${hook}-${since}`,
      message: `spec.hooks.${hook}: ${why}. ${outcome}. Correct the hook, or what it calls`,
    });
  }
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));
