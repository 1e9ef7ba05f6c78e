import { expect, test } from 'vitest';
import { type Condition, setCondition } from './conditions.ts';

const earlier = '2026-01-01T00:00:00Z';
const now = new Date('2026-01-02T03:04:05.678Z');
const ready: Condition = {
  type: 'Ready',
  status: 'False',
  reason: 'Waiting',
  message: 'For an agent',
  lastTransitionTime: earlier,
  observedGeneration: 1,
};
const other: Condition = { ...ready, type: 'Degraded' };

test('a new one comes last, with the time in whole seconds', () => {
  const { lastTransitionTime: _, ...next } = ready;
  expect(setCondition(undefined, next, now)).toEqual([
    { ...ready, lastTransitionTime: '2026-01-02T03:04:05Z' },
  ]);
  expect(setCondition([other], next, now).map(({ type }) => type)).toEqual(['Degraded', 'Ready']);
});

test('the time moves only when the status flips; everything else is replaced in place', () => {
  const next = {
    type: 'Ready',
    status: 'False',
    reason: 'Copying',
    message: 'Now',
    observedGeneration: 2,
  } as const;
  expect(setCondition([ready, other], next, now)).toEqual([{ ...next, lastTransitionTime: earlier }, other]);
  expect(setCondition([ready, other], { ...next, status: 'True' }, now)).toEqual([
    { ...next, status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' },
    other,
  ]);
});

test('what is given is not changed', () => {
  const given = Object.freeze([Object.freeze({ ...ready })]);
  setCondition(given, { ...ready, status: 'True' }, now);
  expect(given).toEqual([ready]);
});
