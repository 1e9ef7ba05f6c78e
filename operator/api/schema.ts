// Building blocks of the API's schemas. What zod checks here, the API server checks too: constraints become OpenAPI
// keywords or CEL rules of the same meaning (crd.ts), with messages for people.
import * as z from 'zod';
import { quantityValue } from './quantity.ts';

/** A CEL rule of a CustomResourceDefinition; `fieldPath` is relative to the schema that carries it. */
export interface Rule {
  rule: string;
  message: string;
  fieldPath?: string;
}

/** CEL rules in the form that `.meta()` takes. */
export function rules(...list: Rule[]): { 'x-kubernetes-validations': Rule[] } {
  return { 'x-kubernetes-validations': list };
}

/** The named fields may be neither changed nor added nor removed later. */
export function immutable(fields: readonly string[], advice: string): Rule[] {
  return fields.map((field) => ({
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `is immutable: ${advice}`,
    fieldPath: `.${field}`,
  }));
}

/** At most so many characters, counted as the API server counts them and not in UTF-16 units. */
export function string(max: number): z.ZodString {
  return z
    .string()
    .refine((value) => [...value].length <= max, `must be at most ${max} characters long`)
    .meta({ maxLength: max });
}

/**
 * A string of a given syntax. The pattern must mean the same in JavaScript and in RE2; it becomes a CEL rule and not
 * an OpenAPI pattern, so that users read the message and not the pattern.
 */
export function text(pattern: string, message: string, max: number): z.ZodString {
  return string(max)
    .regex(new RegExp(pattern), message)
    .meta(rules(matches(pattern, message)));
}

function matches(pattern: string, message: string): Rule {
  const literal = pattern.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return { rule: `self.matches('${literal}')`, message };
}

export function int32(min: number, max = 2 ** 31 - 1): z.ZodInt {
  return z.int().min(min).max(max).meta({ format: 'int32' });
}

export function int64(min: number): z.ZodInt {
  return z.int().min(min).meta({ format: 'int64' });
}

/** A list that holds no value twice; its order means nothing. */
export function set<T extends z.ZodType<string>>(item: T, maxItems: number): z.ZodArray<T> {
  return z
    .array(item)
    .max(maxItems)
    .check(({ value, issues }) => {
      value.forEach((element, index) => {
        if (value.indexOf(element) < index) {
          issues.push({ code: 'custom', input: element, path: [index], message: 'is there twice' });
        }
      });
    })
    .meta({ 'x-kubernetes-list-type': 'set' });
}

const minimumBytes = 2 ** 20;
const quantityMessage = 'must be a quantity of at least 1Mi, such as 50Gi';

const isEnough = (value: string): boolean => (quantityValue(value) ?? 0) >= minimumBytes;

/** Size of a volume, a Kubernetes quantity that never shrinks. The API takes an integer too; parsing makes it a string. */
export const volumeSize = z
  .union([z.number(), string(32)])
  .transform(String)
  .refine(isEnough, quantityMessage)
  .meta({
    'x-kubernetes-int-or-string': true,
    maxLength: 32,
    ...rules(
      {
        rule: "isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Mi')) >= 0",
        message: quantityMessage,
      },
      {
        rule: '!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0',
        message: 'may grow but not shrink',
      },
    ),
  });

export const objectName = text(
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  'must be the name of an object: lower case letters, digits, hyphens and dots',
  253,
);

export const duration = text(
  '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$',
  'must be a duration such as 48h, 1h30m or 7d',
  32,
);

/** Pattern of a name in a path: not empty, neither . nor .., and without these characters. */
export function pathSegment(without = ''): string {
  const any = `[^/${without}]`;
  const notDot = `[^/.${without}]`;
  return `(${notDot}${any}*|[.]${notDot}${any}*|[.][.]${any}+)`;
}

export const worktreeName = text(
  '^[.]?[a-zA-Z0-9_-]+([.][a-zA-Z0-9_-]+)*[.]?$',
  'must consist of letters, digits, hyphens, underscores and single dots, and not be a dot alone',
  128,
);

export const snapshotId = text(
  '^[0-9]{13}-[0-9a-f]{8}$',
  'must be the id of a snapshot: 13 digits, a hyphen and 8 hexadecimal digits',
  22,
);

export const engine = z.enum(['juicefs-clone', 'reflink-copy', 'copy']);

export const template = z.enum(['pre-experiment', 'pre-deploy', 'checkpoint', 'work', 'release', 'archive']);

const tagSyntax = [
  '^[a-zA-Z0-9._-]+$',
  'must consist of letters, digits, dots, hyphens and underscores',
] as const;
const reservedTag = '^(k8s-|auto-[0-9]+$)';
const tagReserved =
  'must not start with k8s-, nor be auto- and a number: those are kept for requests and for the schedule';

export const tag = text(...tagSyntax, 64);

/** A tag that users may give. */
export const userTag = tag
  .refine((value) => !new RegExp(reservedTag).test(value), tagReserved)
  .meta(rules(matches(...tagSyntax), { rule: `!self.matches('${reservedTag}')`, message: tagReserved }));

/** A time as Kubernetes writes it: RFC 3339, UTC. */
export const time = z.string().meta({ format: 'date-time' });

/** In that form, to the second. */
export const rfc3339 = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, 'Z');

/** Of what an agent copies, in a status. */
export const progress = z
  .object({
    bytesDone: int64(0).meta({ description: 'Bytes copied so far.' }),
    bytesTotal: int64(0).meta({ description: 'Bytes to copy; 0 while it is not known.' }),
  })
  .partial()
  .meta({ description: 'How far it is while InProgress.' });

/** Of an object whose fields are not all ours to know: nothing of it is dropped. */
export const open = { 'x-kubernetes-preserve-unknown-fields': true };
