import { expect, test } from 'vitest';
import * as z from 'zod';
import { customResourceDefinition, resourceSchema, type Schema, structural } from './crd.ts';
import { restoreDefinition } from './restore.ts';
import { int32, int64, set, text, time, volumeSize } from './schema.ts';
import { snapshotDefinition } from './snapshot.ts';
import { workspaceDefinition } from './workspace.ts';

test('constraints become keywords of OpenAPI, or rules with a message', () => {
  expect(
    structural(
      z.object({
        name: text("^[a-z'\\d]+$", 'must be a name', 9).meta({ description: 'Its name.' }),
        size: volumeSize.prefault('1Gi'),
        count: int32(1).default(3),
        bytes: int64(0).optional(),
        mode: z.literal('fast').optional(),
        tags: set(z.string(), 4).optional(),
        at: time.optional(),
      }),
    ),
  ).toEqual({
    type: 'object',
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        description: 'Its name.',
        maxLength: 9,
        'x-kubernetes-validations': [{ rule: "self.matches('^[a-z\\'\\\\d]+$')", message: 'must be a name' }],
      },
      size: {
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        default: '1Gi',
        maxLength: 32,
        'x-kubernetes-validations': expect.any(Array),
      },
      count: { type: 'integer', format: 'int32', minimum: 1, maximum: 2147483647, default: 3 },
      bytes: { type: 'integer', format: 'int64', minimum: 0 },
      mode: { type: 'string', enum: ['fast'] },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 4, 'x-kubernetes-list-type': 'set' },
      at: { type: 'string', format: 'date-time' },
    },
  });
});

test('a spec that needs nothing may be left out', () => {
  const required = z.object({ a: z.string() });
  const definition = { ...workspaceDefinition, status: z.object({}) };
  expect(resourceSchema({ ...definition, spec: required.partial() }).properties?.spec?.default).toEqual({});
  const schema = resourceSchema({ ...definition, spec: required });
  expect(schema.required).toEqual(['spec']);
  expect(schema.properties?.spec).not.toHaveProperty('default');
});

const definitions = [workspaceDefinition, snapshotDefinition, restoreDefinition];

test.each(definitions)(
  '$kind: every field has a description, and every bound that CEL needs to know its cost',
  (definition) => {
    const { spec, status } = resourceSchema(definition).properties ?? {};
    const problems: string[] = [];
    const walk = (path: string, schema: Schema, ofSpec: boolean): void => {
      if (schema['x-kubernetes-preserve-unknown-fields']) return;
      if (!schema.description && !path.endsWith('[]')) problems.push(`${path}: no description`);
      if (ofSpec && schema.type === 'string' && !schema.enum && !schema.maxLength)
        problems.push(`${path}: maxLength`);
      if (ofSpec && schema.type === 'array' && !schema.maxItems) problems.push(`${path}: maxItems`);
      if (ofSpec && schema.additionalProperties && !schema.maxProperties)
        problems.push(`${path}: maxProperties`);
      for (const [name, field] of Object.entries(schema.properties ?? {}))
        walk(`${path}.${name}`, field, ofSpec);
      if (schema.items) walk(`${path}[]`, schema.items, ofSpec);
    };
    walk('spec', spec ?? {}, true);
    walk('status', status ?? {}, false);
    expect(problems).toEqual([]);
  },
);

test('names, scope and subresources', () => {
  expect(definitions.map(customResourceDefinition)).toMatchObject([
    {
      metadata: { name: 'workspaces.jvs.io' },
      spec: {
        group: 'jvs.io',
        scope: 'Namespaced',
        names: { shortNames: ['jvs'] },
        versions: [
          {
            name: 'v1alpha1',
            subresources: { status: {}, scale: { labelSelectorPath: '.status.selector' } },
          },
        ],
      },
    },
    { metadata: { name: 'snapshots.jvs.io' }, spec: { names: { shortNames: ['jvssnap'] } } },
    { metadata: { name: 'restores.jvs.io' }, spec: { names: { shortNames: ['jvsrestore'] } } },
  ]);
});
