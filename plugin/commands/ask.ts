// Makes a resource that asks the operator for something, and waits for what becomes of it.
import { waitingTime } from '../arguments.ts';
import { ApiError, PluginError } from '../errors.ts';
import type { Kube } from '../kube.ts';
import type { KubeObject, Progress } from '../objects.ts';
import type { Context } from './command.ts';

export interface Asked extends KubeObject {
  status?: { phase?: string; message?: string; progress?: Progress };
}

export interface Request<T> {
  plural: string;
  kind: string;
  metadata: { name: string } | { generateName: string };
  spec: object;
  /** The phase that is success. */
  success: string;
  /** Of an object in that phase, for people: what to say of it, and lines below. */
  said: (object: T) => [outcome: string, ...more: string[]];
}

/** @throws PluginError when it failed, or took too long */
export async function ask<T extends Asked>(context: Context, request: Request<T>): Promise<void> {
  const { args, kube, terminal } = context;
  const { plural, kind, metadata, spec, success, said } = request;
  const timeoutMs = waitingTime(args);
  const made = await kube.create<T>(plural, kind, { metadata, spec });
  const { name } = made.metadata;
  const title = `${kind.toLowerCase()}.jvs.io/${name}`;
  if (!args.flag('wait')) {
    return terminal.forPrograms ? terminal.document(made) : terminal.line(`${title} asked for`);
  }
  terminal.note(`${title} asked for`);
  const finished = ({ status = {} }: T) => {
    const { phase = 'Pending', progress = {} } = status;
    terminal.progress(phase, progress.bytesDone ?? 0, progress.bytesTotal ?? 0);
    return phase === success || phase === 'Failed';
  };
  const done = await waitFor(kube, plural, name, finished, timeoutMs).finally(() => terminal.endProgress());
  if (done.status?.phase !== success) {
    throw new PluginError(`${title} failed: ${done.status?.message ?? 'it does not say why'}`);
  }
  if (terminal.forPrograms) return terminal.document(done);
  const [outcome, ...more] = said(done);
  terminal.line(`${title} is done: ${outcome}`);
  for (const line of more) terminal.line(line);
}

/** The object once it is `finished`, which is shown each state as it comes. */
async function waitFor<T extends Asked>(
  kube: Kube,
  plural: string,
  name: string,
  finished: (object: T) => boolean,
  timeoutMs: number,
): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    for (;;) {
      const now = await kube.get<T>(plural, name, stop.signal);
      if (finished(now)) return now;
      // A watch ends now and then by itself.
      for await (const seen of kube.watch<T>(plural, name, now.metadata.resourceVersion ?? '', stop.signal)) {
        if (seen === undefined) break;
        if (finished(seen)) return seen;
      }
    }
  } catch (cause) {
    if (stop.signal.aborted) {
      throw new PluginError(
        `${plural}.jvs.io/${name} is not done after ${timeoutMs / 1000} s`,
        'it goes on by itself; --timeout waits longer',
        { cause },
      );
    }
    if (cause instanceof ApiError && cause.status === 404) {
      throw new PluginError(`${plural}.jvs.io/${name} was deleted meanwhile`, 'ask again', { cause });
    }
    throw cause;
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
