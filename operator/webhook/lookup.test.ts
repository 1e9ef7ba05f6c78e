import { expect, test } from 'vitest';
import type { Workspace } from '../api/workspace.ts';
import type { KubeClient } from '../runtime/client.ts';
import { lookupIn } from './lookup.ts';

const { signal } = new AbortController();
const raw = (name: string) => ({ metadata: { namespace: 'n', name }, spec: {} }) as unknown as Workspace;
const informer = { get: (key: string) => (key === 'n/cached' ? raw('cached') : undefined) };
const client = {
  get: async (_: unknown, ref: { namespace?: string; name: string }) => {
    if (ref.name === 'cached') throw new Error('the API server is not asked about what is in the cache');
    return ref.namespace === 'n' && ref.name === 'fresh' ? raw('fresh') : undefined;
  },
} as unknown as KubeClient;
const lookup = lookupIn(informer, client);

test.each(['cached', 'fresh'])('finds a %s Workspace, with its defaults', async (name) => {
  expect(await lookup('n', name, signal)).toMatchObject({
    metadata: { name },
    spec: { mountPath: '/workspace' },
  });
});

test('finds nothing where there is nothing', async () => {
  expect(await lookup('n', 'none', signal)).toBeUndefined();
  expect(await lookup('other', 'cached-not', signal)).toBeUndefined();
});
