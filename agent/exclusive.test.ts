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

test('who gives up while waiting never starts, is told at once, and takes no place any more', async () => {
  const exclusive = new Exclusive();
  const { promise, resolve } = Promise.withResolvers<void>();
  const running = exclusive.run(() => promise);
  const controller = new AbortController();
  let started = false;
  const waiting = exclusive.run(async () => {
    started = true;
  }, controller.signal);
  const order: string[] = [];
  const next = exclusive.run(async () => {
    order.push('next');
  });
  controller.abort();
  await expect(waiting).rejects.toThrow();
  expect(exclusive.pending).toBe(2);
  order.push('running ends');
  resolve();
  await Promise.all([running, next]);
  expect(order).toEqual(['running ends', 'next']);
  expect(started).toBe(false);
  await expect(exclusive.run(async () => {}, controller.signal)).rejects.toThrow();
  expect(exclusive.pending).toBe(0);
});
