import { describe, expect, test } from 'vitest';
import { assertReadable, InvalidResource, isReadable, parsedBy } from './parse.ts';
import { parseRestore } from './restore.ts';
import { parseSnapshot, templateTags } from './snapshot.ts';
import { parseWorkspace, type Workspace } from './workspace.ts';

const metadata = { name: 'w', namespace: 'n', uid: 'u', labels: { a: 'b' } };
const workspace = (spec: unknown) => parseWorkspace({ metadata, spec });
const snapshot = (spec: object) => parseSnapshot({ metadata, spec: { workspace: 'w', ...spec } });

describe('defaults', () => {
  test('of a Workspace', () => {
    expect(parseWorkspace({ metadata })).toEqual({
      apiVersion: 'jvs.io/v1alpha1',
      kind: 'Workspace',
      metadata,
      spec: {
        replicas: 1,
        storage: '10Gi',
        defaultEngine: 'copy',
        mountPath: '/workspace',
        historyAccess: 'ReadOnly',
        finalSnapshot: false,
        reclaimPolicy: 'Retain',
      },
    });
  });

  test('of what is inside a Workspace', () => {
    const { spec } = workspace({ retentionPolicy: {}, autoSnapshot: { schedule: '@daily' } });
    expect(spec.retentionPolicy).toEqual({ keepMinSnapshots: 10, keepMinAge: '24h' });
    expect(spec.autoSnapshot).toEqual({
      enabled: true,
      schedule: '@daily',
      timeZone: 'UTC',
      maxSnapshots: 30,
      suspend: false,
      skipUnchanged: false,
    });
  });

  test('of a Snapshot', () => {
    expect(snapshot({}).spec).toEqual({
      workspace: 'w',
      worktree: 'main',
      restoreOnCreate: false,
      pinned: false,
      deletionPolicy: 'Delete',
    });
  });

  test('of a Restore', () => {
    expect(parseRestore({ metadata, spec: { workspace: 'w', snapshot: 's' } }).spec).toEqual({
      workspace: 'w',
      snapshot: 's',
      preRestoreSnapshot: true,
      deletionPolicy: 'Retain',
    });
  });
});

test('nothing of a pod template is dropped, but fields that this version does not know are', () => {
  const template = {
    metadata: { labels: { a: 'b' }, finalizers: ['x'] },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value: '1' }] }] },
    extra: 1,
  };
  const { spec } = workspace({ template, fromTheFuture: true });
  expect(spec.template).toEqual(template);
  expect(spec).not.toHaveProperty('fromTheFuture');
});

test.each([
  [10_737_418_240, '10737418240'],
  ['1.5Ti', '1.5Ti'],
  ['2e9', '2e9'],
])('storage %s', (given, parsed) => {
  expect(workspace({ storage: given }).spec.storage).toBe(parsed);
});

test('lengths are those of the API server, in characters', () => {
  expect(workspace({ mountOptions: ['😀'.repeat(256)] }).spec.mountOptions).toHaveLength(1);
  expect(() => workspace({ mountOptions: ['😀'.repeat(257)] })).toThrow(
    'spec.mountOptions[0]: must be at most 256',
  );
});

test('a status that does not fit is dropped, for it is made anew', () => {
  const status = { phase: 'Ready', snapshotCount: 3 };
  expect(parseWorkspace({ metadata, status }).status).toEqual(status);
  expect(parseWorkspace({ metadata, status: { ...status, phase: 'Unheard' } })).not.toHaveProperty('status');
});

test('an error names every bad field and says what it must be', () => {
  const bad = { replicas: -1, mountPath: '/', template: { spec: { containers: [{}] } } };
  expect(() => workspace(bad)).toThrow(InvalidResource);
  expect(() => workspace(bad)).toThrow(
    /^spec\.replicas: .*>=0; spec\.template\.spec\.containers\[0\]\.name: .*; spec\.mountPath: must be an absolute path/,
  );
  expect(() => parseWorkspace({ metadata: { name: 'w' } })).toThrow(/^metadata\.namespace: /);
  expect(() => parseSnapshot({ metadata, spec: {} })).toThrow(/^spec\.workspace: /);
  expect(() => parseRestore({ metadata, spec: { workspace: 'w', newWorktree: '..' } })).toThrow(
    /^spec\.newWorktree: /,
  );
});

test('what an informer keeps is parsed once; what can not be is kept, and is said to be so when it is used', () => {
  const parse = parsedBy(parseWorkspace);
  const good = parse({ apiVersion: 'jvs.io/v1alpha1', kind: 'Workspace', metadata } as unknown as Workspace);
  expect(good.spec.storage).toBe('10Gi');
  expect(isReadable(good)).toBe(true);
  const spec = { replicas: 'many' };
  const bad = parse({
    apiVersion: 'jvs.io/v1alpha1',
    kind: 'Workspace',
    metadata,
    spec,
  } as unknown as Workspace);
  expect(bad.metadata).toBe(metadata);
  expect(isReadable(bad)).toBe(false);
  let told = '';
  const tell = (message: string) => {
    told = message;
  };
  expect(() => assertReadable(bad, tell)).toThrow('Workspace w can not be read');
  expect(told).toMatch(/^spec\..*install the operator/);
});

test('template tags', () => {
  expect(templateTags('pre-experiment')).toEqual(['experiment', 'checkpoint']);
  expect(templateTags('pre-deploy')).toEqual(['pre-deploy', 'release']);
  expect(templateTags('checkpoint')).toEqual(['checkpoint']);
  expect(templateTags('work')).toEqual(['wip']);
  expect(templateTags('release')).toEqual(['release', 'stable']);
  expect(templateTags('archive')).toEqual(['archive']);
  expect(templateTags(undefined)).toEqual([]);
});
