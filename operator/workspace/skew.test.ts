import { expect, test } from 'vitest';
import { outdated } from './skew.ts';

test.each([
  ['0.3.1', '0.3.0'],
  ['0.3.0', '0.3.9'],
  ['0.4.0', '0.3.0'],
  ['1.0.0', '0.9.0'],
  ['dev', '0.3.0'],
])('an agent of %s is not outdated beside an operator of %s', (agent, operator) => {
  expect(outdated(agent, operator)).toBeUndefined();
});

test.each([
  ['0.2.9', '0.3.0', /It works/],
  ['0.1.0', '0.3.0', /It works/],
  ['0.1.0', '0.4.0', /too far apart/],
  ['0.9.0', '1.0.0', /too far apart/],
])('an agent of %s is, beside an operator of %s', (agent, operator, said) => {
  expect(outdated(agent, operator)).toMatch(said);
});
