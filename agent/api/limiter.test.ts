import { expect, test } from 'vitest';
import { RateLimiter } from './limiter.ts';

test('a burst, then a steady rate, and an idle time never saves up more than the burst', () => {
  const limiter = new RateLimiter({ burst: 2, intervalMs: 1000, now: 0 });
  expect([limiter.take(0), limiter.take(0), limiter.take(0)]).toEqual([0, 0, 1000]);
  expect(limiter.take(400)).toBe(600);
  expect(limiter.take(1000)).toBe(0);
  expect([limiter.take(60_000), limiter.take(60_000), limiter.take(60_000)]).toEqual([0, 0, 1000]);
});

test('a clock that goes back does not stop it for good', () => {
  const limiter = new RateLimiter({ burst: 1, intervalMs: 1000, now: 10_000 });
  expect(limiter.take(10_000)).toBe(0);
  expect(limiter.take(5000)).toBe(1000);
  expect(limiter.take(6000)).toBe(0);
});
