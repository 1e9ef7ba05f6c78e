// From the API's zod schemas to CustomResourceDefinitions with structural schemas. Pure.
import * as z from 'zod';
import { apiVersion } from './parse.ts';
import type { Rule } from './schema.ts';

/** What a CustomResourceDefinition has to say beside the fields of spec and status. */
export interface Definition {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  description: string;
  /** Schema of metadata.name beyond what Kubernetes demands of names. */
  name?: Schema;
  spec: z.ZodType;
  status: z.ZodType;
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string };
  columns: { name: string; type: 'string' | 'integer' | 'date'; jsonPath: string; priority?: number }[];
}

/** An OpenAPI v3 schema in the structural form that Kubernetes demands. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema;
  'x-kubernetes-validations'?: Rule[];
  [keyword: string]: unknown;
}

export function customResourceDefinition(definition: Definition) {
  const { kind, plural, singular, shortNames, columns, scale } = definition;
  const [group = '', version = ''] = apiVersion.split('/');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      // No category `all`: `kubectl delete all --all` must not take snapshots with it.
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['jvs-all'] },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: resourceSchema(definition) },
          subresources: { status: {}, ...(scale && { scale }) },
        },
      ],
    },
  };
}

/** Schema of the whole resource. A spec without required fields may be left out. */
export function resourceSchema({ description, name, spec: specSchema, status }: Definition): Schema {
  const spec = structural(specSchema);
  return {
    type: 'object',
    description,
    ...(spec.required && { required: ['spec'] }),
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', ...(name && { properties: { name: { type: 'string', ...name } } }) },
      spec: spec.required ? spec : { ...spec, default: {} },
      status: structural(status),
    },
  };
}

/**
 * What a user may write, as a structural schema. Patterns are left out where a CEL rule stands for them with a
 * message, objects are closed by Kubernetes itself, and bounds that only say what a JavaScript number can hold go.
 */
export function structural(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'openapi-3.0',
    override: ({ jsonSchema }) => {
      if (jsonSchema['x-kubernetes-validations']) delete jsonSchema.pattern;
      if (jsonSchema['x-kubernetes-preserve-unknown-fields']) delete jsonSchema.additionalProperties;
      if (jsonSchema['x-kubernetes-int-or-string']) {
        jsonSchema.anyOf = [{ type: 'integer' }, { type: 'string' }];
      }
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }) as Schema;
}
