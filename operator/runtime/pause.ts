import { systemClock } from './clock.ts';

/** Returns early, without an error, when aborted. */
export function pause(ms: number, signal: AbortSignal, clock = systemClock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => {
    cancel();
    signal.removeEventListener('abort', wake);
    resolve();
  };
  const cancel = clock.after(ms, wake);
  signal.addEventListener('abort', wake);
  if (signal.aborted) wake();
  return promise;
}
