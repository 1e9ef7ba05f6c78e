import { expect, test } from 'vitest';
import { Exclusive } from './exclusive.ts';

test('tasks run one after another, in order, and a failure hurts only its own caller', async () => {
  const exclusive = new Exclusive();
  const trace: string[] = [];
  const task =
    (name: string, fail = false) =>
    async () => {
      trace.push(`${name} starts`);
      await new Promise((resolve) => setImmediate(resolve));
      trace.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([
    exclusive.run(task('a')),
    exclusive.run(task('b', true)),
    exclusive.run(task('c')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await exclusive.idle();
  expect(exclusive.pending).toBe(0);
  expect(trace).toEqual(['a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends']);
});

test('who gives up while waiting never starts', async () => {
  const exclusive = new Exclusive();
  const { promise, resolve } = Promise.withResolvers<void>();
  const running = exclusive.run(() => promise);
  const controller = new AbortController();
  let started = false;
  const waiting = exclusive.run(async () => {
    started = true;
  }, controller.signal);
  controller.abort();
  resolve();
  await running;
  await expect(waiting).rejects.toThrow();
  expect(started).toBe(false);
});
