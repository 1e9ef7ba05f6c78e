// Two agents as processes, with an operator each: what one exports, the other begins with.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { manifest, quiet, TestVolume } from '../repository/testing/volume.ts';
import type { FakeOperator } from '../testing/fake-operator.ts';
import { link } from '../testing/link.ts';
import { type AgentProcess, startProcess } from '../testing/process.ts';
import { standstill } from '../testing/standstill.ts';
import { sha256 } from './certificate.ts';

const within = { timeout: 60_000, interval: 20 };
const port = 17_446;
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function volumeOfTest(): TestVolume {
  const volume = new TestVolume();
  stops.push(() => volume[Symbol.dispose]());
  return volume;
}

async function start(volume: TestVolume, argv: string[]): Promise<AgentProcess> {
  const agent = await startProcess(volume.path, argv);
  stops.push(() => agent.end('SIGKILL'));
  return agent;
}

const statusOf = (operator: FakeOperator) =>
  operator.streams.flatMap(({ messages }) => messages.flatMap(({ status }) => status ?? [])).at(-1);

async function startupz({ healthPort }: AgentProcess): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${healthPort}/startupz`);
  return `${response.status} ${await response.text()}`;
}

test('no container starts before the tree is there, the agent may be killed on the way, and what is asked waits', {
  timeout: 300_000,
}, async () => {
  const from = volumeOfTest();
  const engine = from.engine();
  await engine.open();
  mkdirSync(join(from.main, 'folder'));
  for (let i = 0; i < 300; i++) {
    writeFileSync(join(from.main, 'folder', `${i}`), Buffer.alloc(100_000, `${i}`));
  }
  const { snapshot_id: snapshotId } = await engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet);
  const there = await link(stops);
  there.operator.desired.exports = [{ snapshotId, tokenSha256: sha256('secret') }];
  await start(from, [...there.argv, `--transfer-port=${port}`]);
  await vi.waitFor(
    () => expect(statusOf(there.operator)?.transferCertificateSha256).toMatch(/^[0-9a-f]{64}$/),
    within,
  );
  const certificateSha256 = statusOf(there.operator)?.transferCertificateSha256 ?? '';

  const to = volumeOfTest();
  const { operator, argv } = await link(stops);
  operator.desired.snapshots = [{ uid: 'u1', name: 'first' }];
  const options = [...argv, '--initial-snapshot=golden'];
  const first = await start(to, options);
  await vi.waitFor(() => expect(statusOf(operator)?.awaitsInitial).toBe(true), within);
  await vi.waitFor(
    () =>
      expect(operator.requests('u1').at(-1)).toMatchObject({
        phase: 'PHASE_WAITING',
        reason: 'WaitingForInitialSnapshot',
      }),
    within,
  );
  expect(await startupz(first)).toContain('503 spec.initialSnapshot: waiting');

  const initial = { snapshotId, address: `127.0.0.1:${port}`, certificateSha256, token: 'secret' };
  const halfway = `127.0.0.1:${await standstill(port, 1_000_000, stops)}`;
  operator.want({ ...operator.desired, initial: { ...initial, address: halfway } });
  await vi.waitFor(() => expect(existsSync(join(to.jvs, 'agent/import/journal.json'))).toBe(true), within);
  await first.end('SIGKILL');
  operator.desired = { ...operator.desired, initial };
  const second = await start(to, options);
  await vi.waitFor(async () => expect(await startupz(second)).toBe('200 ok\n'), within);
  expect(manifest(to.main)).toEqual(manifest(from.main));
  await vi.waitFor(() => {
    const made = [...operator.snapshots.values()].find(({ requestUid }) => requestUid === 'u1');
    expect(made?.parentId).toBe(snapshotId);
  }, within);
  expect(operator.snapshots.get(snapshotId)).toMatchObject({ origin: 'discovered', parentId: '' });
  expect(statusOf(operator)?.awaitsInitial).toBe(false);

  there.operator.want({ ...there.operator.desired, exports: [] });
  await vi.waitFor(() => expect(statusOf(there.operator)?.transferCertificateSha256).toBe(''), within);
});
