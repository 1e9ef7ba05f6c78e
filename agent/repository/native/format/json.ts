// JSON as Go's encoding/json writes it: the checksums of the 8.x format are over these very bytes.

export type Json = string | number | boolean | Json[] | { [key: string]: Json | undefined };

const SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
const ESCAPED = /["\\\u0000-\u001f<>&\u2028\u2029]/g;

function quote(text: string): string {
  return `"${text
    .toWellFormed()
    .replace(ESCAPED, (c) => SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

function write(value: Json, keys: (o: object) => string[], indent: string, level: string): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object') return String(value);
  const inner = level + indent;
  const list = Array.isArray(value);
  const items = list
    ? value.map((v) => write(v, keys, indent, inner))
    : keys(value).flatMap((k) => {
        const v = value[k];
        return v === undefined ? [] : [`${quote(k)}:${indent && ' '}${write(v, keys, indent, inner)}`];
      });
  const [open, close] = list ? '[]' : '{}';
  if (items.length === 0) return `${open}${close}`;
  const gap = indent && `\n${inner}`;
  return `${open}${gap}${items.join(`,${gap}`)}${indent && `\n${level}`}${close}`;
}

const byteOrder = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** No white space, keys in byte order; what checksums are taken over. Undefined members are left out. */
export function canonicalJson(value: Json): string {
  return write(value, (o) => Object.keys(o).sort(byteOrder), '', '');
}

/** Keys in the order given, one line. */
export function compactJson(value: Json): string {
  return write(value, Object.keys, '', '');
}

/** Keys in the order given, two spaces; the form of descriptors, worktree configurations and intents. */
export function indentedJson(value: Json): string {
  return write(value, Object.keys, '  ', '');
}
