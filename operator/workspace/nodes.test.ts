import { expect, test } from 'vitest';
import type { Pod } from '../runtime/resources.ts';
import { lostNode } from './nodes.ts';

const podOf = (ready: object, containersReady: string): Pod => ({
  metadata: { name: 'jvs-ml-abc', namespace: 'team' },
  spec: { nodeName: 'node-7', containers: [] },
  status: {
    phase: 'Running',
    conditions: [
      { type: 'ContainersReady', status: containersReady },
      { type: 'Ready', status: 'False', ...ready },
    ],
  },
});

test('a pod that the control plane calls not ready is on a lost node, and what to do is said', () => {
  expect(lostNode([podOf({}, 'True')])).toMatch(
    /^node node-7 of pod jvs-ml-abc does not answer.*kubectl -n team delete pod jvs-ml-abc --force$/,
  );
});

test.each([
  ['ready', podOf({ status: 'True' }, 'True')],
  ['with a container that is not', podOf({ reason: 'ContainersNotReady' }, 'False')],
  ['behind a readiness gate', podOf({ reason: 'ReadinessGatesNotReady' }, 'True')],
  ['that nobody has said anything of', { metadata: { name: 'new', namespace: 'team' } }],
])('a pod %s is not', (_, pod) => {
  expect(lostNode([pod])).toBeUndefined();
});
