import { expect, test } from 'vitest';
import { ApiError } from '../errors.ts';
import type { Kube } from '../kube.ts';
import type { Pod, Workspace } from '../objects.ts';
import { agentPod } from './find.ts';

const workspace = (pod?: string): Workspace => ({
  metadata: { name: 'train' },
  spec: {},
  status: pod === undefined ? {} : { agent: { pod } },
});
const pod = (name: string, phase = 'Running'): Pod => ({ metadata: { name }, status: { phase } });
const withPods = (pods: () => Pod[]) => ({ pods: async () => pods() }) as unknown as Kube;

test('the pod that the operator names, unless that has gone meanwhile and another runs', async () => {
  const kube = withPods(() => [pod('old', 'Failed'), pod('new')]);
  expect(await agentPod(kube, workspace('new'))).toBe('new');
  expect(await agentPod(kube, workspace('old'))).toBe('old');
  expect(await agentPod(kube, workspace('gone'))).toBe('new');
  expect(await agentPod(kube, workspace())).toBe('new');
  await expect(
    agentPod(
      withPods(() => []),
      workspace(),
    ),
  ).rejects.toThrow('no agent of Workspace train runs');
});

test('of a stopped Workspace no agent runs, though the operator names the last one', async () => {
  const stopped = { ...workspace('gone'), spec: { replicas: 0 } };
  const asked = agentPod(
    withPods(() => []),
    stopped,
  );
  await expect(asked).rejects.toMatchObject({
    message: 'no agent of Workspace train runs',
    hint: 'it is stopped: kubectl scale jvs/train --replicas 1 starts it',
  });
});

test('who may not list pods goes by what the operator says', async () => {
  const kube = withPods(() => {
    throw new ApiError(403, 'pods is forbidden');
  });
  expect(await agentPod(kube, workspace('named'))).toBe('named');
  await expect(agentPod(kube, workspace())).rejects.toThrow('forbidden');
});
