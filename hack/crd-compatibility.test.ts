import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Definition, incompatibilities, type Schema } from './crd-compatibility.ts';

const root = join(import.meta.dirname, '..');
const releases = join(root, 'test/fixtures/releases');
const read = (file: string) => parse(readFileSync(file, 'utf8')) as Definition;

// A rule or bound that a release lacked by mistake may be added: then its fixture's sentence belongs here, and in the
// CHANGELOG.
const accepted: string[] = [];

test.each(
  readdirSync(releases).flatMap((release) =>
    readdirSync(join(releases, release, 'crds')).map((file) => [release, file] as const),
  ),
)('what %s accepted of %s is accepted still', (release, file) => {
  const before = read(join(releases, release, 'crds', file));
  const now = read(join(root, 'config/crd/bases', file));
  expect(incompatibilities(before, now).filter((sentence) => !accepted.includes(sentence))).toEqual([]);
});

describe('a change is found that', () => {
  const definition = (schema: Schema, served = true): Definition => ({
    spec: {
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things', shortNames: ['t'] },
      versions: [{ name: 'v1', served, schema: { openAPIV3Schema: schema } }],
    },
  });
  const before: Schema = {
    type: 'object',
    required: ['a'],
    properties: {
      a: { type: 'string', enum: ['x', 'y'], default: 'x' },
      b: { type: 'integer', minimum: 1, maximum: 9 },
      c: { type: 'array', items: { type: 'object', properties: { d: { type: 'string' } } } },
      e: { type: 'object', additionalProperties: { type: 'string' } },
    },
  };
  const changed = (change: (schema: Required<Pick<Schema, 'properties'>> & Schema) => void) => {
    const schema = structuredClone(before) as Required<Pick<Schema, 'properties'>> & Schema;
    change(schema);
    return incompatibilities(definition(before), definition(schema));
  };
  const set = (name: string, keywords: Schema) =>
    changed(({ properties }) => Object.assign(properties[name] ?? {}, keywords));

  test.each<[what: string, found: string[], sentence: RegExp]>([
    ['removes a field', changed(({ properties }) => delete properties.b), /Thing v1: b is gone/],
    ['removes one of a list', set('c', { items: { type: 'object' } }), /c\[\]: d is gone/],
    ['changes a type', set('b', { type: 'string' }), /b: type was integer/],
    ['changes a type of a map', set('e', { additionalProperties: { type: 'integer' } }), /e\.\*: type/],
    ['takes a value away', set('a', { enum: ['x'] }), /a: y was accepted/],
    ['gives another default', set('a', { default: 'y' }), /default was "x"/],
    ['raises a minimum', set('b', { minimum: 2 }), /minimum was raised/],
    ['lowers a maximum', set('b', { maximum: 8 }), /maximum was lowered/],
    ['brings a bound', set('c', { maxItems: 3 }), /maxItems was lowered/],
    ['brings a pattern', set('a', { pattern: '^x' }), /pattern was open/],
    ['requires a field', changed((schema) => schema.required?.push('b')), /requires b now/],
    [
      'brings a rule',
      changed((schema) => Object.assign(schema, { 'x-kubernetes-validations': [{ rule: 'false' }] })),
      /new rule: false/,
    ],
    [
      'no longer serves it',
      incompatibilities(definition(before), definition(before, false)),
      /no longer served/,
    ],
  ])('%s', (_, found, sentence) => {
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(sentence);
  });

  test('adds or widens is none', () => {
    expect(
      changed((schema) => {
        schema.properties.f = { type: 'string', default: 'z' };
        schema.required = ['a', 'f'];
        schema.properties.a = { type: 'string', enum: ['x', 'y', 'z'], default: 'x' };
        schema.properties.b = { type: 'integer', minimum: 0 };
      }),
    ).toEqual([]);
  });
});
