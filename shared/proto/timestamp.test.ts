import { expect, test } from 'vitest';
import { toRfc3339, toTimestamp } from './timestamp.ts';

test('a time keeps its nanoseconds on the way to protobuf', () => {
  expect(toTimestamp('2026-11-24T08:12:01.120000007Z')).toEqual({ seconds: 1795507921, nanos: 120000007 });
  expect(toTimestamp('2026-11-24T08:12:01.12Z').nanos).toBe(120000000);
  expect(toTimestamp('2026-11-24T08:12:01Z').nanos).toBe(0);
});

test('a time with an offset is the same instant', () => {
  expect(toTimestamp('2026-11-24T10:12:01.5+02:00')).toEqual({ seconds: 1795507921, nanos: 500000000 });
});

test('back to whole seconds, as Kubernetes writes them', () => {
  expect(toRfc3339(toTimestamp('2026-11-24T08:12:01.999Z'))).toBe('2026-11-24T08:12:01Z');
});

test('what is no time is refused', () => {
  expect(() => toTimestamp('yesterday')).toThrow(RangeError);
});
