import { expect, test } from 'vitest';
import type { ListSnapshotsRequest } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsRequest.ts';
import type { Descriptor } from '../repository/repository.ts';
import { fakeDescriptor } from '../testing/memory-repository.ts';
import { pageOf } from './page.ts';

const request = (fields: Partial<ListSnapshotsRequest> = {}): ListSnapshotsRequest => ({
  pageSize: 0,
  pageToken: '',
  worktree: '',
  tag: '',
  ...fields,
});
const all = Array.from({ length: 25 }, (_, i) =>
  fakeDescriptor({ tags: i % 5 === 0 ? ['release'] : [], worktree_name: i % 2 ? 'main' : 'trial' }),
).reverse();
const ids = (list: readonly Descriptor[]) => list.map(({ snapshot_id }) => snapshot_id);

function walk(fields: Partial<ListSnapshotsRequest>, between: (n: number) => readonly Descriptor[]) {
  const found: string[] = [];
  let pageToken = '';
  let n = 0;
  do {
    const page = pageOf(between(n++), request({ ...fields, pageToken }));
    found.push(...ids(page.snapshots));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return found;
}

test('all pages together are the whole list, newest first', () => {
  expect(walk({ pageSize: 7 }, () => all)).toEqual(ids(all));
  expect(walk({}, () => all.toReversed())).toEqual(ids(all));
  expect(pageOf(all, request({ pageSize: 7 })).totalSize).toBe(25);
  expect(pageOf([], request())).toEqual({ snapshots: [], nextPageToken: '', totalSize: 0 });
});

test('a full last page has no next one', () => {
  expect(pageOf(all, request({ pageSize: 25 })).nextPageToken).toBe('');
});

test('worktree and tag narrow it', () => {
  expect(walk({ tag: 'release', pageSize: 2 }, () => all)).toHaveLength(5);
  expect(walk({ tag: 'release', worktree: 'trial', pageSize: 2 }, () => all)).toHaveLength(3);
});

test('what is made or deleted between two pages neither repeats nor hides others', () => {
  const found = walk({ pageSize: 10 }, (n) => {
    if (n === 0) return all;
    return [fakeDescriptor(), ...all.filter((_, i) => i !== 9 && i !== 10)];
  });
  expect(found).toEqual(ids(all.filter((_, i) => i !== 10)));
});

test('long notes make short pages', () => {
  const long = Array.from({ length: 10 }, () => fakeDescriptor({ note: 'x'.repeat(1000) })).reverse();
  const page = pageOf(long, request(), 8000);
  expect(page.snapshots).toHaveLength(2);
  expect(page.nextPageToken).not.toBe('');
});

test('a token of another list, or none at all, is refused by name', () => {
  const { nextPageToken } = pageOf(all, request({ pageSize: 1, tag: 'release' }));
  expect(() => pageOf(all, request({ pageToken: nextPageToken }))).toThrow(/^page_token must be/);
  expect(() => pageOf(all, request({ pageToken: 'x' }))).toThrow(/^page_token must be/);
  expect(() => pageOf(all, request({ pageSize: -1 }))).toThrow('page_size');
});
