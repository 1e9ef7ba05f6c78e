import { describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';

const { signal } = new AbortController();

describe('Gate', () => {
  it('runs so many at once, the others in their order, and all of them', async () => {
    const gate = new Gate(2, 100);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const task = (n: number) => async () => {
      most = Math.max(most, ++running);
      order.push(n);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (n % 3 === 0) throw new Error(`task ${n}`);
      return n;
    };
    const results = await Promise.allSettled(Array.from({ length: 9 }, (_, n) => gate.run(task(n), signal)));
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    expect(await gate.run(async () => 'free again', signal)).toBe('free again');
  });

  it('does not run what was given up while it waited, nor more than may wait', async () => {
    const gate = new Gate(1, 1);
    const { promise, resolve } = Promise.withResolvers<string>();
    const first = gate.run(() => promise, signal);
    const controller = new AbortController();
    let ran = false;
    const second = gate.run(async () => {
      ran = true;
    }, controller.signal);
    await expect(gate.run(async () => {}, signal)).rejects.toThrow('1 are waiting already');
    controller.abort();
    resolve('done');
    expect(await first).toBe('done');
    await expect(second).rejects.toThrow(/abort/);
    expect(ran).toBe(false);
    expect(await gate.run(async () => 'free again', signal)).toBe('free again');
  });
});
