// What becomes of a claim after it was made: it grows, is refused, or can not be mounted.
import { expect, test } from 'vitest';
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import { ApiError } from '../runtime/errors.ts';
import type { PersistentVolumeClaim, Pod } from '../runtime/resources.ts';
import { refusalOf } from './apply.ts';
import { claimOf, deploymentOf } from './objects.ts';
import type { Finding, Observed } from './observed.ts';
import { planStatus } from './status.ts';

const workspaceOf = (spec: object = {}): Workspace =>
  parseWorkspace({ metadata: { name: 'ml', namespace: 'team', uid: 'u1', generation: 1 }, spec });

/** With its volume bound, and all its pods ready. */
function observe(workspace: Workspace, more: Partial<Observed> = {}, status: object = {}): Observed {
  const made = claimOf(workspace);
  const claim: PersistentVolumeClaim = {
    ...made,
    spec: { ...made.spec, volumeName: 'pv-1' },
    status: { phase: 'Bound', ...status },
  };
  const deployment = deploymentOf(workspace, claim);
  return {
    workspace,
    claim,
    storageClasses: [],
    staticVolumes: false,
    juiceFsDriver: false,
    deployment: {
      ...deployment,
      metadata: { ...deployment.metadata, generation: 1 },
      status: { observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1 },
    },
    pods: [],
    mountFailures: new Map(),
    resources: [],
    linkSettled: true,
    ...more,
  };
}

const statusOf = (observed: Observed, refusals: Finding[] = []) => planStatus(observed, refusals, new Date());
const conditionOf = (observed: Observed, type: string, refusals: Finding[] = []) =>
  statusOf(observed, refusals).conditions?.find((condition) => condition.type === type);
const forbidden = (message: string) => new ApiError('PATCH', 403, { reason: 'Forbidden', message });

test('a volume that may not grow is no reason to call the pods on it not ready', () => {
  const workspace = workspaceOf();
  const refusal = refusalOf('expandClaim', forbidden('only dynamically provisioned'));
  const observed = observe(workspace);
  const refusals = refusal ? [refusal] : [];
  expect(statusOf(observed, refusals).phase).toBe('Ready');
  expect(conditionOf(observed, 'Degraded', refusals)).toMatchObject({
    status: 'True',
    reason: 'ExpansionRefused',
    message: expect.stringMatching(/only dynamically provisioned.*allowVolumeExpansion/),
  });
});

test('a claim that is refused is, for nothing runs without it', () => {
  const workspace = workspaceOf();
  const refusal = refusalOf('createClaim', forbidden('exceeded quota'));
  const { phase, message } = statusOf(observe(workspace, { claim: undefined }), refusal ? [refusal] : []);
  expect({ phase, message }).toEqual({ phase: 'Failed', message: expect.stringContaining('exceeded quota') });
});

test.each([
  ['deleteClaim', true],
  ['deleteVolume', true],
  ['deleteDeployment', false],
  ['deleteResource', false],
  ['removeFinalizer', false],
] as const)(
  'what may not be deleted is advised to be left behind where that helps: %s, %s',
  (type, helps) => {
    const refusal = refusalOf(type, forbidden('policy hold denies it'));
    expect(refusal).toMatchObject({ reason: 'DeletionRefused', message: expect.stringContaining('stays') });
    expect(refusal?.message.includes('spec.reclaimPolicy Retain')).toBe(helps);
  },
);

test('while a volume grows it says to what, and whether that takes a pod', () => {
  const workspace = workspaceOf({ storage: '2Gi' });
  const at = (status: object) => conditionOf(observe(workspace, {}, status), 'StorageReady')?.message;
  expect(at({ capacity: { storage: '1Gi' } })).toMatch(/grows from 1Gi to 2Gi$/);
  const conditions = [{ type: 'FileSystemResizePending', status: 'True' }];
  expect(at({ capacity: { storage: '1Gi' }, conditions })).toMatch(/when a pod mounts it$/);
  expect(at({ capacity: { storage: '2048Mi' } })).not.toMatch(/grows/);
});

test('of a volume that several pods can not share it says what it can, whatever a new one could', () => {
  const one = observe(workspaceOf());
  expect(conditionOf({ ...one, workspace: workspaceOf({ replicas: 2 }) }, 'Degraded')).toMatchObject({
    reason: 'ReplicasNeedSharedVolume',
    message: 'spec.replicas is 2, but the volume is ReadWriteOnce: pods on other nodes can not mount it',
  });
});

test('growing that failed is said with the words of the driver', () => {
  const conditions = [{ type: 'ControllerResizeError', status: 'True', message: 'pool is full' }];
  expect(conditionOf(observe(workspaceOf(), {}, { conditions }), 'Degraded')).toMatchObject({
    status: 'True',
    reason: 'ExpansionFailed',
    message: expect.stringMatching(/10Gi: pool is full\..*jvs-ml/),
  });
});

const waiting = (reason: string): Pod => ({
  metadata: { name: 'jvs-ml-1', namespace: 'team', uid: 'p1' },
  status: {
    phase: 'Pending',
    initContainerStatuses: [
      {
        name: 'jvs-agent',
        image: '',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { waiting: { reason } },
      },
    ],
  },
});

test('a pod whose volume can not be mounted is named with what the node says', () => {
  const workspace = workspaceOf();
  const mountFailures = new Map([['p1', 'MountVolume.SetUp failed: wrong password']]);
  const message = (pod: Pod) => {
    const { deployment, ...rest } = observe(workspace, { pods: [pod], mountFailures });
    return statusOf({ ...rest, ...(deployment && { deployment: { ...deployment, status: {} } }) }).message;
  };
  expect(message(waiting('PodInitializing'))).toMatch(/pod jvs-ml-1 can not mount.*wrong password/);
  const started = waiting('CrashLoopBackOff');
  started.status?.initContainerStatuses?.forEach((container) => {
    container.lastState = { terminated: { exitCode: 1 } };
  });
  expect(message(started)).toMatch(/CrashLoopBackOff/);
});
