import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['48h', 172_800_000],
  ['7d', 604_800_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['500ms', 500],
  ['1m1ms', 60_001],
  ['0s', 0],
  ['0.0001ms', 1],
])('%s', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(['', '5', 'h', '-1h', '1h ', '1 h', '1w', '1H', '.5h', '1e3s', '9999999999999d'])('%j', (text) => {
  expect(() => parseDuration(text)).toThrow(RangeError);
});

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (milliseconds) => {
      expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
    }),
  );
  expect(formatDuration(5_400_000)).toBe('1h30m');
  expect(formatDuration(172_800_000)).toBe('2d');
});
