import { expect, test } from 'vitest';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import { agentOf } from '../mirror/testing.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../runtime/resources.ts';
import { claimFor, isStatic, volumeName, volumeOf } from './juicefs.ts';
import type { Observed } from './observed.ts';
import { type Action, finalizer, planActions } from './plan.ts';
import { planStatus } from './status.ts';

const juiceFsConfig = { source: 'redis://r:6379/0', secretsRef: { name: 'jfs' } };

function workspaceOf(spec: object = {}, metadata: object = {}): Workspace {
  return parseWorkspace({
    apiVersion: 'jvs.io/v1alpha1',
    kind: 'Workspace',
    metadata: { name: 'ml', namespace: 'team', uid: 'u1', finalizers: [finalizer], ...metadata },
    spec: { juiceFsConfig, ...spec },
  });
}

const observe = (workspace: Workspace, more: Partial<Observed> = {}): Observed => ({
  workspace,
  storageClasses: [],
  staticVolumes: true,
  juiceFsDriver: true,
  pods: [],
  mountFailures: new Map(),
  resources: [],
  linkSettled: true,
  ...more,
});

const plan = (observed: Observed): Action[] =>
  planActions(observed, false).filter(({ type }) => type !== 'applyDeployment');
const types = (observed: Observed) => plan(observed).map(({ type }) => type);
const status = (observed: Observed) => planStatus(observed, [], new Date());
const conditionOf = (observed: Observed, type: string) =>
  status(observed).conditions?.find((condition) => condition.type === type);

const volume = (workspace: Workspace, phase: string, spec: object = {}): PersistentVolume => {
  const made = volumeOf(workspace);
  return {
    ...made,
    metadata: { ...made.metadata, uid: 'v1', resourceVersion: '7' },
    spec: { ...made.spec, ...spec },
    status: { phase },
  };
};
const claim = (workspace: Workspace, phase: string): PersistentVolumeClaim => ({
  ...claimFor(workspace),
  status: { phase },
});
const bound = (workspace: Workspace): Partial<Observed> => ({
  claim: claim(workspace, 'Bound'),
  staticVolume: volume(workspace, 'Bound'),
});

test('a static volume of the driver, reserved for the claim, with the Secret by reference', () => {
  const workspace = workspaceOf({
    mountOptions: ['writeback', 'max-uploads=50'],
    juiceFsConfig: { ...juiceFsConfig, cacheDir: '/var/jfsCache' },
  });
  const [create, claimIt] = plan(observe(workspace));
  expect(create).toMatchObject({
    type: 'createVolume',
    volume: {
      metadata: { name: 'jvs-team.ml' },
      spec: {
        capacity: { storage: '10Gi' },
        accessModes: ['ReadWriteOnce'],
        volumeMode: 'Filesystem',
        storageClassName: '',
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace: 'team', name: 'jvs-ml' },
        mountOptions: ['writeback', 'max-uploads=50', 'subdir=/team/ml', 'cache-dir=/var/jfsCache'],
        csi: {
          driver: 'csi.juicefs.com',
          volumeHandle: 'jvs-team.ml',
          fsType: 'juicefs',
          nodePublishSecretRef: { name: 'jfs', namespace: 'team' },
        },
      },
    },
  });
  expect(claimIt).toMatchObject({
    type: 'createClaim',
    claim: { spec: { storageClassName: '', volumeName: 'jvs-team.ml' } },
  });
});

test('with a storage class, or without JuiceFS, the class makes the volume', () => {
  for (const spec of [{ storageClassName: 'jfs' }, { juiceFsConfig: undefined }]) {
    const [create, ...rest] = plan(observe(workspaceOf(spec)));
    expect(rest).toEqual([]);
    expect(create).toMatchObject({ type: 'createClaim' });
    expect(create).not.toMatchObject({ claim: { spec: { storageClassName: '' } } });
  }
});

test('a claim that a class filled before juiceFsConfig came stays as it is', () => {
  const workspace = workspaceOf();
  const before = claim(workspaceOf({ juiceFsConfig: undefined }), 'Bound');
  const filled = { ...before, spec: { ...before.spec, storageClassName: 'standard', volumeName: 'pvc-1' } };
  const observed = observe(workspace, { claim: filled });
  expect(types(observed)).toEqual([]);
  expect(conditionOf(observed, 'JuiceFS')).toMatchObject({ status: 'Unknown', reason: 'NotSeen' });
});

test('the name fits the label that the driver makes of it, and is its own', () => {
  const long = (name: string) => volumeName(workspaceOf({}, { name, namespace: 'n'.repeat(60) }));
  expect(long('a'.repeat(50))).toMatch(/^jvs-n+-[0-9a-f]{10}$/);
  expect(long('a'.repeat(50)).length).toBeLessThanOrEqual(63);
  expect(long('a'.repeat(50))).not.toBe(long('b'.repeat(50)));
});

const obstacles: [string, object, Partial<Observed>, RegExp, string][] = [
  ['SecretRequired', { juiceFsConfig: { source: 'redis://r/0' } }, {}, /secretsRef.*not set/, 'Failed'],
  [
    'SecretKeysNotSupported',
    {
      juiceFsConfig: { ...juiceFsConfig, secretsRef: { name: 'jfs', keys: { 'secret-key': 'AWS_SECRET' } } },
    },
    {},
    /secret-key.*AWS_SECRET.*fixed keys.*Secret jfs/,
    'Failed',
  ],
  ['MountOptionRefused', { mountOptions: ['subdir=/other'] }, {}, /juiceFsConfig\.metaDir/, 'Failed'],
  ['MountOptionRefused', { mountOptions: ['log=$(reboot)'] }, {}, /\$\(reboot\)/, 'Failed'],
  [
    'MountOptionRefused',
    { juiceFsConfig: { ...juiceFsConfig, metaDir: '/a,allow_root' } },
    {},
    /allow_root/,
    'Failed',
  ],
  [
    'MountOptionRefused',
    { juiceFsConfig: { ...juiceFsConfig, metaDir: '/mine/../others' } },
    {},
    /\.\./,
    'Failed',
  ],
  [
    'VolumesNotAllowed',
    {},
    { staticVolumes: false },
    /kubectl apply -k config\/juicefs.*juicefs\.enabled=true/,
    'Pending',
  ],
  ['DriverMissing', {}, { juiceFsDriver: false }, /csi\.juicefs\.com.*install/, 'Pending'],
  [
    'VolumeNotOurs',
    {},
    { staticVolume: volume(workspaceOf({}, { namespace: 'other' }), 'Bound') },
    /jvs-team\.ml.*left alone/,
    'Failed',
  ],
  [
    'VolumeTerminating',
    {},
    {
      staticVolume: {
        ...volume(workspaceOf(), 'Released'),
        metadata: { ...volume(workspaceOf(), '').metadata, deletionTimestamp: '2026-11-24T12:00:00Z' },
      },
    },
    /stays in JuiceFS/,
    'Pending',
  ],
];

test.each(obstacles)(
  '%s: nothing is made, and the Workspace says what to do',
  (reason, spec, more, message, phase) => {
    const observed = observe(workspaceOf(spec), more);
    expect(types(observed)).toEqual([]);
    for (const type of ['JuiceFS', 'StorageReady', 'Ready']) {
      expect(conditionOf(observed, type)).toMatchObject({ status: 'False', reason });
    }
    expect(status(observed)).toMatchObject({ phase, message: expect.stringMatching(message) });
  },
);

test('keys that are called as the driver calls them are no obstacle', () => {
  const secretsRef = { name: 'jfs', keys: { metaurl: 'metaurl', 'secret-key': 'secret-key' } };
  expect(types(observe(workspaceOf({ juiceFsConfig: { ...juiceFsConfig, secretsRef } })))).toEqual([
    'createVolume',
    'createClaim',
  ]);
});

test('with claim and volume kept, nothing is to be done', () => {
  const workspace = workspaceOf();
  const observed = observe(workspace, bound(workspace));
  expect(isStatic(observed)).toBe(true);
  expect(types(observed)).toEqual([]);
  expect(conditionOf(observed, 'JuiceFS')).toMatchObject({ status: 'True', reason: 'JuiceFS' });
  const without = observe(workspace, { ...bound(workspace), juiceFsDriver: false });
  expect(conditionOf(without, 'JuiceFS')).toMatchObject({ status: 'False', reason: 'DriverMissing' });
  expect(conditionOf(without, 'StorageReady')).toMatchObject({ status: 'True' });
});

test('a volume whose claim was deleted is released, and only once its own controller says so', () => {
  const workspace = workspaceOf();
  const claimRef = { ...volumeOf(workspace).spec?.claimRef, uid: 'old', resourceVersion: '1' };
  const of = (phase: string) => ({ staticVolume: volume(workspace, phase, { claimRef }) });
  expect(types(observe(workspace, of('Released')))).toEqual(['releaseVolume', 'createClaim']);
  expect(types(observe(workspace, { ...of('Released'), claim: claim(workspace, 'Pending') }))).toEqual([
    'releaseVolume',
  ]);
  expect(types(observe(workspace, of('Bound')))).toEqual(['createClaim']);
  expect(types(observe(workspace, { ...of('Released'), claim: claim(workspace, 'Bound') }))).toEqual([]);
});

test('mount options and cache follow the spec; directory and Secret can not, which is said', () => {
  const live = bound(workspaceOf());
  const [action] = plan(observe(workspaceOf({ mountOptions: ['writeback'] }), live));
  expect(action).toMatchObject({
    type: 'setMountOptions',
    volume: { spec: { mountOptions: ['writeback', 'subdir=/team/ml'] } },
  });
  const moved = observe(
    workspaceOf({ juiceFsConfig: { ...juiceFsConfig, metaDir: 'else/where', secretsRef: { name: 'new' } } }),
    live,
  );
  expect(types(moved)).toEqual([]);
  expect(conditionOf(moved, 'JuiceFS')).toMatchObject({
    status: 'False',
    reason: 'VolumeDiffers',
    message: expect.stringMatching(/Secret jfs.*new.*\/team\/ml.*\/else\/where.*delete claim jvs-ml/),
  });
});

test('spec.storage grows no static volume', () => {
  expect(types(observe(workspaceOf({ storage: '1Ti' }), bound(workspaceOf())))).toEqual([]);
});

test('deleting the Workspace deletes claim and volume where its policy says so, and never one that is not ours', () => {
  const gone = { deletionTimestamp: '2026-11-24T11:59:00Z' };
  const kept = workspaceOf({}, gone);
  expect(types(observe(kept, bound(kept)))).toEqual(['removeFinalizer']);
  const deleted = workspaceOf({ reclaimPolicy: 'Delete' }, gone);
  expect(types(observe(deleted, bound(deleted)))).toEqual(['deleteClaim', 'deleteVolume', 'removeFinalizer']);
  const other = volume(workspaceOf({}, { namespace: 'other' }), 'Bound');
  expect(types(observe(deleted, { ...bound(deleted), staticVolume: other }))).toEqual([
    'deleteClaim',
    'removeFinalizer',
  ]);
});

test('mount options that a class has no part in are said', () => {
  const workspace = workspaceOf({ storageClassName: 'standard', mountOptions: ['noatime', 'ro'] });
  const made = claim(workspace, 'Bound');
  const live = (mountOptions?: string[]): Partial<Observed> => ({
    claim: { ...made, spec: { ...made.spec, volumeName: 'pvc-1' } },
    storageClasses: [{ metadata: { name: 'standard' }, provisioner: 'p', mountOptions }],
  });
  expect(conditionOf(observe(workspace, live()), 'Degraded')).toMatchObject({
    status: 'True',
    reason: 'MountOptionsIgnored',
    message: expect.stringMatching(/noatime, ro.*class/),
  });
  const has = observe(workspace, live(['ro', 'noatime']));
  expect(conditionOf(has, 'Degraded')).toMatchObject({ status: 'False' });
});

test('a volume stays in use when the operator may make none any more, which is said', () => {
  const workspace = workspaceOf();
  const observed = observe(workspace, { claim: claim(workspace, 'Bound'), staticVolumes: false });
  expect(types(observed)).toEqual([]);
  expect(conditionOf(observed, 'JuiceFS')).toMatchObject({ status: 'False', reason: 'VolumesNotAllowed' });
  expect(conditionOf(observed, 'StorageReady')).toMatchObject({ status: 'True' });
});

test('with a class of the driver the volume is JuiceFS, whoever may make static ones', () => {
  const workspace = workspaceOf({ storageClassName: 'jfs' });
  const storageClasses = [{ metadata: { name: 'jfs' }, provisioner: 'csi.juicefs.com' }];
  const observed = observe(workspace, {
    claim: claim(workspace, 'Bound'),
    storageClasses,
    staticVolumes: false,
  });
  expect(conditionOf(observed, 'JuiceFS')).toMatchObject({ status: 'True' });
});

test('an agent that sees JuiceFS below a class of another driver is believed', () => {
  const workspace = workspaceOf({ storageClassName: 'jfs' });
  const seen = agentOf([], { pod: 'p' });
  const agent = seen.status && { ...seen, status: { ...seen.status, filesystem: 'fuse.juicefs' } };
  expect(conditionOf(observe(workspace, { agent }), 'JuiceFS')).toMatchObject({ status: 'True' });
});
