import { expect, test } from 'vitest';
import { quantityValue } from './quantity.ts';

test.each([
  ['0', 0],
  ['100m', 0.1],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['128Mi', 2 ** 27],
  ['1k', 1000],
  ['12e6', 12e6],
  ['1E', 1e18],
  ['.5', 0.5],
])('%s is %d', (text, value) => expect(quantityValue(text)).toBeCloseTo(value, 9));

test.each(['', 'm', '-1', '1 Gi', '1mi', '1KiB', '1e', 'ten', '1.2.3'])('%j is no quantity', (text) =>
  expect(quantityValue(text)).toBeUndefined(),
);
