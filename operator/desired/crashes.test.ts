import { expect, test } from 'vitest';
import { parseWorkspace } from '../api/workspace.ts';
import type { Pod } from '../runtime/resources.ts';
import { planCrashes } from './crashes.ts';

const now = Date.parse('2026-11-24T12:00:00Z');
const workspaceOf = (finalSnapshot: boolean) =>
  parseWorkspace({ metadata: { name: 'ml', namespace: 'team' }, spec: { finalSnapshot } });
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString();
const terminated = (more: object = {}) => ({
  ...{ exitCode: 1, startedAt: at(300), finishedAt: at(10) },
  ...more,
});
function podOf(container: object, more: object = {}): Pod {
  const status = { name: 'main', restartCount: 0, image: '', imageID: '', ready: false, ...container };
  return {
    metadata: { name: 'p', namespace: 'team', uid: 'p1', ...more },
    status: { phase: 'Running', containerStatuses: [status] },
  } as Pod;
}
const plan = (pod: Pod, final = true) => planCrashes(workspaceOf(final), [pod], now);
const crashed = (more: object = {}) => podOf({ state: { terminated: terminated(more) } });

test('a crash is one request, before and after the restart', () => {
  const [request] = plan(crashed());
  expect(request).toMatchObject({
    origin: 'final',
    note: `Container main of pod p crashed with exit code 1 at ${at(10)}`,
  });
  const restarted = podOf({ restartCount: 1, lastState: { terminated: terminated() } });
  expect(plan(restarted)).toEqual([request]);
  const again = podOf({ restartCount: 1, state: { terminated: terminated() } });
  expect(plan(again)[0]?.uid).not.toBe(request?.uid);
});

test('there is none where nothing crashed, or nobody wants one, or it is of no use', () => {
  expect(plan(crashed(), false)).toEqual([]);
  expect(plan(crashed({ exitCode: 0 }))).toEqual([]);
  expect(plan(crashed({ finishedAt: at(3600) }))).toEqual([]);
  const ending = podOf({ state: { terminated: terminated() } }, { deletionTimestamp: at(1) });
  expect(plan(ending)).toEqual([]);
  const agent = podOf({ name: 'jvs-agent', state: { terminated: terminated() } });
  expect(plan(agent)).toEqual([]);
  const { status, ...pod } = crashed();
  expect(plan({ ...pod, status: { ...status, phase: 'Failed' } })).toEqual([]);
});

test('a container that crashes again as soon as it has started leaves no more of them', () => {
  const loop = podOf({ restartCount: 4, lastState: { terminated: terminated({ startedAt: at(15) }) } });
  expect(plan(loop)).toEqual([]);
  expect(plan(crashed({ startedAt: at(15) }))).toHaveLength(1);
});
