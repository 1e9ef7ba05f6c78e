import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sharedWord, shareWords } from './words.ts';

test('says what was said, however much that is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(shareWords([structuredClone(value)])).toEqual([value]);
    }),
  );
  for (let i = 0; i < 20_000; i++) expect(sharedWord(`word ${i}`)).toBe(`word ${i}`);
});
