import { expect, test } from 'vitest';
import { type Facts, planStep } from './plan.ts';

const initial = { snapshotId: 's', address: 'a:1', certificateSha256: 'c', token: 't' };
const facts: Facts = {
  wanted: 'golden',
  marker: undefined,
  received: false,
  empty: true,
  initial,
  primary: true,
};
const copying = { phase: 'copying', snapshotId: 's' } as const;
const done = { phase: 'done', snapshotId: 's' } as const;

test.each<[string, Partial<Facts>, string]>([
  ['a Workspace without one begins', { wanted: undefined, initial: undefined }, 'begin'],
  ['a new volume receives it', {}, 'receive'],
  ['a kept volume is left as it is', { empty: false }, 'begin'],
  ['it is done once', { marker: done, empty: false }, 'begin'],
  ['it is done once, and then all of it may be deleted', { marker: done }, 'begin'],
  ['what was begun goes on', { marker: copying, empty: false }, 'receive'],
  ['what was received is restored', { marker: copying, received: true, empty: false }, 'restore'],
  ['that needs no source any more', { marker: copying, received: true, initial: undefined }, 'restore'],
  [
    'what another Workspace of the volume had received is not what this one wants',
    { marker: { ...copying, wanted: 'other' }, received: true, empty: false },
    'receive',
  ],
  [
    'what this one had received is',
    { marker: { ...copying, wanted: 'golden' }, received: true, empty: false },
    'restore',
  ],
  ['nobody said where it is', { initial: undefined }, 'wait'],
  ['a standby waits for the primary', { primary: false }, 'wait'],
  ['a standby does not restore', { primary: false, marker: copying, received: true }, 'wait'],
  ['another Workspace of the volume does not want it', { wanted: undefined, marker: copying }, 'abandon'],
])('%s', (_, change, type) => {
  expect(planStep({ ...facts, ...change }).type).toBe(type);
});
