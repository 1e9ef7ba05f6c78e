import { expect, test } from 'vitest';
import { type CertificateFacts, planCertificates, type Validity } from './plan.ts';

const day = 24 * 60 * 60 * 1000;
const at = (days: number) => new Date(Date.UTC(2030, 0, 1) + days * day);
const life = (from: number, to: number): Validity => ({ notBefore: at(from), notAfter: at(to) });
const names = ['a.svc', '127.0.0.1'];
const facts: CertificateFacts = { authority: life(0, 360), serving: { ...life(0, 90), names } };

test.each([
  ['nothing', undefined, 0, 'authority'],
  ['fresh ones', facts, 0, 'keep'],
  ['a serving certificate just before two thirds of its life', facts, 59.9, 'keep'],
  ['a serving certificate after two thirds of its life', facts, 60, 'serving'],
  ['an expired serving certificate', facts, 91, 'serving'],
  ['an authority after two thirds of its life', facts, 240, 'authority'],
  ['an expired authority', facts, 361, 'authority'],
  ['an authority made by a clock that was ahead', { ...facts, authority: life(1, 361) }, 0.5, 'authority'],
  [
    'a serving certificate made by a clock that was ahead',
    { ...facts, serving: { ...life(1, 91), names } },
    0.5,
    'serving',
  ],
  ['no serving certificate', { authority: facts.authority }, 0, 'serving'],
  ['a name that is missing', { ...facts, serving: { ...life(0, 90), names: ['a.svc'] } }, 0, 'serving'],
  ['a name too many', { ...facts, serving: { ...life(0, 90), names: [...names, 'b'] } }, 0, 'keep'],
] as const)('%s', (_, current, days, action) =>
  expect(planCertificates(current, names, at(days)).action).toBe(action),
);

test('what the API server finds valid is kept where the clock is behind', () => {
  expect(planCertificates(facts, names, at(-100), at(1)).action).toBe('keep');
  expect(planCertificates(facts, names, at(-2), at(-1)).action).toBe('authority');
});

test('says when to look again: at what comes first', () => {
  expect(planCertificates(facts, names, at(10))).toEqual({ action: 'keep', until: at(60) });
  const old = { authority: life(-230, 130), serving: { ...life(0, 90), names } };
  expect(planCertificates(old, names, at(5))).toEqual({ action: 'keep', until: at(10) });
});

test('says which name is missing', () =>
  expect(planCertificates(facts, [...names, 'new.svc'], at(0))).toEqual({
    action: 'serving',
    reason: 'it lacks new.svc',
  }));
