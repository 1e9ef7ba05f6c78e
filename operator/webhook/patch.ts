// JSON patch (RFC 6902) between two states of a pod. The libraries for it compare lists by index, or by the least
// number of edits, and would rewrite a user's container as the agent's: here the items of a list have names.

export type Operation =
  | { op: 'add' | 'replace'; path: string; value: unknown }
  | { op: 'remove'; path: string };

type Json = Record<string, unknown>;

/** What turns `before` into `after`: nothing is written that is the same in both. */
export function diff(before: unknown, after: unknown, path = ''): Operation[] {
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  if (isObject(before) && isObject(after)) return diffObjects(before, after, path);
  return Object.is(before, after) ? [] : [{ op: 'replace', path, value: after }];
}

function diffObjects(before: Json, after: Json, path: string): Operation[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key): Operation[] => {
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [old, value] = [before[key], after[key]];
    if (old === undefined) return value === undefined ? [] : [{ op: 'add', path: at, value }];
    if (value === undefined) return [{ op: 'remove', path: at }];
    return diff(old, value, at);
  });
}

function diffLists(before: readonly unknown[], after: readonly unknown[], path: string): Operation[] {
  const [old, wanted] = [keysOf(before), keysOf(after)];
  const stay = old.filter((key) => wanted.includes(key));
  if (wanted.filter((key) => old.includes(key)).join('\n') !== stay.join('\n'))
    return [{ op: 'replace', path, value: after }]; // another order
  const removals = old
    .map((key, index) => ({ key, index }))
    .filter(({ key }) => !wanted.includes(key))
    .reverse()
    .map(({ index }): Operation => ({ op: 'remove', path: `${path}/${index}` }));
  const changes = wanted.flatMap((key, index): Operation[] => {
    const at = `${path}/${index}`;
    const from = old.indexOf(key);
    return from < 0 ? [{ op: 'add', path: at, value: after[index] }] : diff(before[from], after[index], at);
  });
  return [...removals, ...changes];
}

/** One key for each item, unique in the list: mounts by path, all else by name, or by place where it has none. */
function keysOf(items: readonly unknown[]): string[] {
  const seen = new Map<string, number>();
  return items.map((item) => {
    const key = JSON.stringify(isObject(item) ? (item.mountPath ?? item.name ?? null) : item);
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return `${key} ${count}`;
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
