import { expect, test } from 'vitest';
import type { Pod } from '../../../operator/runtime/resources.ts';
import { apply, eventually, get, kubectl } from '../../kubectl.ts';
import {
  conditionOf,
  createWorkspace,
  idleContainer,
  podSpec,
  useNamespace,
  withoutOperator,
} from '../world.ts';

const namespace = useNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
const labels = { 'jvs.io/workspace': 'shared' };

test('with the operator down only labelled pods wait; an uninjected one is noticed when it is back', async () => {
  await createWorkspace(namespace, 'shared', { replicas: 0 });
  await withoutOperator(async () => {
    const pod = (name: string, more: object = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, ...more },
      spec: podSpec(idleContainer()),
    });
    await apply(pod('plain'));
    await expect(apply(pod('labelled', { labels }))).rejects.toThrow(/webhook/);
    await apply(pod('opted-out', { labels: { ...labels, 'jvs.io/inject': 'false' } }));
    await eventually(
      'it runs',
      async () => (await get<Pod>('pod', 'opted-out', namespace)).status?.phase === 'Running',
    );
    await kubectl('-n', namespace, 'label', 'pod', 'plain', 'jvs.io/workspace=shared');
  });
  expect(await conditionOf(namespace, 'shared', 'Degraded', 'PodNotInjected')).toContain('plain');
});
