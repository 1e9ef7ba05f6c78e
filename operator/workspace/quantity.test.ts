import { expect, test } from 'vitest';
import { quantityBytes } from './quantity.ts';

test.each([
  ['0', 0],
  ['512', 512],
  ['1Ki', 1024],
  ['50Gi', 50 * 1024 ** 3],
  ['1.5Mi', 1.5 * 1024 ** 2],
  ['50G', 50e9],
  ['1k', 1000],
  ['2E', 2e18],
  ['1e9', 1e9],
  ['5E3', 5000],
])('%s is %d bytes', (quantity, bytes) => {
  expect(quantityBytes(quantity)).toBe(bytes);
});

test.each(['', '10 GB', '-1Gi', '1Gb', 'Gi'])('%j is refused', (quantity) => {
  expect(() => quantityBytes(quantity)).toThrow(RangeError);
});
