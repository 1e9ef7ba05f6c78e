// What a change of a CustomResourceDefinition would break for those who use the last release. Pure.

export interface Schema {
  type?: string;
  format?: string;
  nullable?: boolean;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  pattern?: string;
  'x-kubernetes-validations'?: { rule: string }[];
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  [keyword: string]: unknown;
}

export interface Definition {
  spec: {
    scope: string;
    names: { kind: string; plural: string; shortNames?: string[] };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

/** One sentence each, with the path of the field. Empty: what was accepted and understood before still is. */
export function incompatibilities(before: Definition, now: Definition): string[] {
  const { kind } = before.spec.names;
  const found: string[] = [];
  if (before.spec.scope !== now.spec.scope) found.push(`${kind}: its scope changed`);
  for (const name of before.spec.names.shortNames ?? [])
    if (!now.spec.names.shortNames?.includes(name)) found.push(`${kind}: short name ${name} is gone`);
  for (const { name, served, schema } of before.spec.versions) {
    if (!served) continue;
    const same = now.spec.versions.find((version) => version.name === name && version.served);
    if (same) found.push(...schemas(`${kind} ${name}`, schema.openAPIV3Schema, same.schema.openAPIV3Schema));
    else found.push(`${kind}: version ${name} is no longer served`);
  }
  return found;
}

const lower = ['minimum', 'minLength', 'minItems', 'minProperties'];
const upper = ['maximum', 'maxLength', 'maxItems', 'maxProperties'];

function schemas(path: string, before: Schema, now: Schema): string[] {
  const found: string[] = [];
  const say = (what: string) => found.push(`${path}: ${what}`);
  for (const keyword of ['type', 'format', 'pattern', 'x-kubernetes-int-or-string'] as const) {
    if (before[keyword] !== now[keyword] && !(now[keyword] === undefined && keyword !== 'type'))
      say(`${keyword} was ${before[keyword] ?? 'open'} and is ${now[keyword] ?? 'open'}`);
  }
  if (before.nullable && !now.nullable) say('null was accepted');
  if (before['x-kubernetes-preserve-unknown-fields'] && !now['x-kubernetes-preserve-unknown-fields'])
    say('unknown fields were kept');
  if (JSON.stringify(before.default) !== JSON.stringify(now.default))
    say(`its default was ${JSON.stringify(before.default)} and is ${JSON.stringify(now.default)}`);
  const allowed = now.enum;
  if (allowed) {
    if (!before.enum) say('has an enum now');
    for (const value of before.enum ?? []) if (!allowed.includes(value)) say(`${value} was accepted`);
  }
  for (const keyword of lower) if (narrower(now[keyword], before[keyword], 1)) say(`${keyword} was raised`);
  for (const keyword of upper) if (narrower(now[keyword], before[keyword], -1)) say(`${keyword} was lowered`);
  for (const name of now.required ?? []) {
    const known = before.required?.includes(name);
    // The API server fills in a default before it looks.
    if (!known && now.properties?.[name]?.default === undefined) say(`requires ${name} now`);
  }
  const rules = new Set(before['x-kubernetes-validations']?.map(({ rule }) => rule));
  for (const { rule } of now['x-kubernetes-validations'] ?? [])
    if (!rules.has(rule)) say(`has a new rule: ${rule}`);
  for (const [name, property] of Object.entries(before.properties ?? {})) {
    const same = now.properties?.[name];
    if (same) found.push(...schemas(`${path}.${name}`, property, same));
    else say(`${name} is gone`);
  }
  if (before.items && now.items) found.push(...schemas(`${path}[]`, before.items, now.items));
  if (typeof before.additionalProperties === 'object' && typeof now.additionalProperties === 'object')
    found.push(...schemas(`${path}.*`, before.additionalProperties, now.additionalProperties));
  else if (before.additionalProperties && !now.additionalProperties) say('any name was accepted');
  return found;
}

/** Whether a bound is set now and lets less through; `sign` 1 for a lower bound. */
function narrower(now: unknown, before: unknown, sign: 1 | -1): boolean {
  if (typeof now !== 'number') return false;
  return typeof before !== 'number' || (now - before) * sign > 0;
}
