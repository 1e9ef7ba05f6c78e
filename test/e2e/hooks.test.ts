// Hooks around snapshots, and the last snapshot of a pod: with a server in the user's container that is to hold still.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../operator/api/snapshot.ts';
import { signalContainer, volumePath } from '../cluster/cluster.ts';
import { apply, eventually, kinds, kubectl } from '../kubectl.ts';
import {
  applySnapshot,
  createSnapshot,
  createWorkspace,
  eventOf,
  exec,
  idleContainer,
  podOf,
  podSpec,
  snapshotIn,
  useNamespace,
  workspaceOf,
} from './world.ts';

const namespace = useNamespace();

/** Answers POST /cgi-bin/freeze and thaw, and notes both in main/trace. Slowly while /tmp/slow is there. */
const served = [
  'mkdir -p /tmp/www/cgi-bin',
  ...['freeze', 'thaw'].map(
    (hook) =>
      `printf '#!/bin/sh\\necho ${hook} >> /workspace/main/trace\\n` +
      `while [ ${hook} = freeze ] && [ -e /tmp/slow ]; do sleep 0.1; done\\n` +
      `printf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n"\\n' > /tmp/www/cgi-bin/${hook}; chmod +x /tmp/www/cgi-bin/${hook}`,
  ),
  'trap "exit 0" TERM',
  'httpd -f -p 127.0.0.1:8080 -h /tmp/www & wait',
].join('; ');
const hook = (name: string) => ({ http: { port: 8080, path: `/cgi-bin/${name}` }, timeoutSeconds: 30 });
const hooks = { preSnapshot: hook('freeze'), postSnapshot: hook('thaw') };
const template = { spec: { ...podSpec(idleContainer('main', served)), terminationGracePeriodSeconds: 40 } };

const onVolume = async (workspace: string, ...path: string[]) =>
  (await readFile(join(await volumePath(namespace, `jvs-${workspace}`), ...path), 'utf8')).trim().split('\n');
const inside = (workspace: string, script: string) =>
  exec(namespace, `deploy/jvs-${workspace}`, 'main', script);

test('a snapshot is taken between the hooks, and says that it is consistent', async () => {
  await createWorkspace(namespace, 'quiet', { hooks, template });
  const { status } = await createSnapshot(namespace, 'still', { workspace: 'quiet' });
  expect(status?.consistency).toBe('quiesced');
  expect(await onVolume('quiet', '.jvs/snapshots', status?.snapshotID ?? '', 'trace')).toEqual(['freeze']);
  // It may be told of before the hook after it is over.
  await eventually(
    'it is thawed',
    async () => (await onVolume('quiet', 'main/trace')).join() === 'freeze,thaw',
  );
});

test('an agent that is killed while files are frozen thaws them, and takes the snapshot', async () => {
  await inside('quiet', 'touch /tmp/slow');
  await applySnapshot(namespace, 'survivor', { workspace: 'quiet' });
  await eventually('it is frozen', async () => (await onVolume('quiet', 'main/trace')).length === 3);
  await signalContainer(namespace, await podOf(namespace, 'quiet'), 'jvs-agent');
  await eventually('it is thawed', async () => (await onVolume('quiet', 'main/trace')).includes('thaw', 3));
  await inside('quiet', 'rm /tmp/slow');
  const { status } = await snapshotIn(namespace, 'survivor', 'Ready');
  expect(status?.consistency).toBe('quiesced');
});

test('a hook that hangs holds nothing up for longer than its timeout, and is told', async () => {
  const hangs = { ...hooks, preSnapshot: { exec: { command: ['sleep', '1000'] }, timeoutSeconds: 1 } };
  await apply(workspaceOf(namespace, 'quiet', { storage: '1Gi', hooks: hangs, template }));
  const { status } = await eventually('a snapshot is taken without', async () => {
    const name = `without-${Date.now()}`;
    const made = await createSnapshot(namespace, name, { workspace: 'quiet' });
    return made.status?.consistency === 'crash-consistent' && made;
  });
  expect(status?.phase).toBe('Ready');
  await eventOf(namespace, 'quiet', /^HookFailed: .*spec\.hooks\.preSnapshot/s);
});

test('a pod that stops leaves a last snapshot, with what its containers wrote at their end', async () => {
  const last = idleContainer(
    'main',
    'trap "sleep 1; echo the end > /workspace/main/last; exit 0" TERM; tail -f /dev/null & wait',
  );
  const spec = { ...podSpec(last), terminationGracePeriodSeconds: 40 };
  await createWorkspace(namespace, 'final', { finalSnapshot: true, hooks, template: { spec } });
  await kubectl('-n', namespace, 'scale', `${kinds.workspace}/final`, '--replicas=0');
  const final = await eventually('the last snapshot is shown', async () => {
    const list = await kubectl('-n', namespace, 'get', kinds.snapshot, '-o', 'json');
    const { items } = JSON.parse(list) as { items: Snapshot[] };
    return items.find(({ spec, status }) => spec.workspace === 'final' && status?.origin === 'final');
  });
  const id = final.status?.snapshotID ?? '';
  expect(await onVolume('final', '.jvs/snapshots', id, 'last')).toEqual(['the end']);
});
