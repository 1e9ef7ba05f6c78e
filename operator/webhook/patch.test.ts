import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diff } from './patch.ts';
import { applyPatch } from './testing.ts';

test('says nothing about what is the same', () => {
  expect(diff({ a: [{ name: 'x', b: 1 }], c: undefined }, { a: [{ name: 'x', b: 1 }] })).toEqual([]);
});

test('puts an item before others without touching them', () => {
  const user = { name: 'user', image: 'busybox' };
  const agent = { name: 'agent', image: 'jvs-agent' };
  expect(diff({ list: [user] }, { list: [agent, { ...user, env: [] }] })).toEqual([
    { op: 'add', path: '/list/0', value: agent },
    { op: 'add', path: '/list/1/env', value: [] },
  ]);
});

test('escapes keys', () => {
  expect(diff({ 'jvs.io/a~b': 1 }, { 'jvs.io/a~b': 2 })).toEqual([
    { op: 'replace', path: '/jvs.io~1a~0b', value: 2 },
  ]);
});

const scalar = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('a', 'b', '~/'), fc.boolean());
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.array(fc.oneof(tie('value'), fc.record({ name: scalar, value: tie('value') })), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('name', 'mountPath', 'a/b', 'c~d'), tie('value')),
  ),
}));

test('turns any value into any other', () => {
  fc.assert(
    fc.property(value, value, (before, after) => {
      expect(applyPatch(before, diff(before, after))).toEqual(after);
    }),
    { numRuns: 2000 },
  );
});
