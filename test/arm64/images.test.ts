// The images for arm64, run on this machine: by hand before a release (npm run test:arm64), as QEMU is slow.
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildForPlatforms } from '../../hack/images.ts';
import { KubeClient } from '../../operator/runtime/client.ts';
import { pods } from '../../operator/runtime/resources.ts';
import { placesOf, World } from '../bench/scale/world.ts';
import { ensurePackages } from '../cluster/packages.ts';
import { ended, output } from '../cluster/process.ts';
import { root, startInstalled } from '../integration/kubectl.ts';
import { operatorCredentials } from '../integration/operator-client.ts';
import { freePort } from '../integration/operator-process.ts';
import { eventually } from '../kubectl.ts';
import { type UnpackedImage, unpackImages } from '../oci-archive.ts';
import { EmulatedMachine } from './machine.ts';

let scratch: string;
let operatorImage: UnpackedImage;
let agentImage: UnpackedImage;

beforeAll(async () => {
  await ensurePackages();
  scratch = mkdtempSync(join(tmpdir(), 'jvs-arm64-'));
  const archives = await buildForPlatforms(['linux/arm64'], { tag: 'arm64-test' });
  const images = await Promise.all(archives.map((archive) => unpackImages(archive, scratch)));
  for (const archive of archives) rmSync(archive);
  [[operatorImage], [agentImage]] = images as [[UnpackedImage], [UnpackedImage]];
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** With a payload of every kind of entry. */
function makeVolume(name: string): string {
  const volume = join(scratch, name);
  mkdirSync(join(volume, 'main/folder'), { recursive: true });
  writeFileSync(join(volume, 'main/folder/first'), 'one', { mode: 0o640 });
  writeFileSync(join(volume, 'main/größer'), Buffer.alloc(300_000, 'x'));
  linkSync(join(volume, 'main/größer'), join(volume, 'main/second name'));
  symlinkSync('folder/first', join(volume, 'main/link'));
  return volume;
}

/** What this machine's own code says of the volume; rejects when it finds damage. */
const here = (volume: string, ...args: string[]): Promise<string> =>
  output(process.execPath, ['agent/main.ts', ...args, '--volume', volume], { cwd: root });

test('the agent calls the system as it does here', async () => {
  const program = "console.log(process.arch, typeof process.getBuiltinModule('node:ffi')?.dlopen)";
  const printed = await new EmulatedMachine(agentImage).output('node', '-e', program);
  expect(printed).toBe('arm64 function\n');
});

test('what the agent saves there is right here', async () => {
  const volume = makeVolume('alone');
  const machine = new EmulatedMachine(agentImage, { '/volume': volume });
  const jvs = async (...args: string[]) =>
    (await machine.output('jvs-agent', ...args, '--volume', '/volume')).trim();
  await jvs('init');
  const first = await jvs('snapshot', '--note', 'first');
  writeFileSync(join(volume, 'main/folder/first'), 'two');
  const second = await jvs('snapshot');
  const verified = await here(volume, 'verify', '--all');
  expect(verified).toBe(`${second}  ok\n${first}  ok\n`);
  expect(`${await jvs('verify', '--all')}\n`).toBe(verified);
  await here(volume, 'doctor');
  const saved = (id: string, path: string) => statSync(join(volume, '.jvs/snapshots', id, path));
  expect(saved(first, 'folder/first').mode & 0o777).toBe(0o640);
  // Unchanged, so one file, that all four names share.
  expect(saved(second, 'größer').ino).toBe(saved(first, 'second name').ino);
  expect(saved(first, 'größer').nlink).toBe(4);

  await jvs('restore', first);
  expect(await here(volume, 'diff', first)).toBe('');
});

test('operator and agent of that machine inject, and make a Snapshot Ready', async () => {
  await using stack = new AsyncDisposableStack();
  const started = await startInstalled(['config/manager/']);
  const server = stack.adopt(started.server, (one) => one.stop());
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const client = KubeClient.fromKubeconfig(server.kubeconfig);
  const world = new World(client, stop.signal);
  const places = placesOf(1);
  const [place = { namespace: '', name: '' }] = places;
  await world.makeNamespaces(places);

  const account = '/var/run/secrets/kubernetes.io/serviceaccount';
  const [webhook, link, health, metrics] = await Promise.all([1, 2, 3, 4].map(freePort));
  const flags = (values: Record<string, string | undefined>) =>
    Object.entries(values).map(([name, value]) => `--${name}=${value}`);
  const { hostname, port } = new URL(server.url);
  // The webhook's manifest is not in the image: in a cluster it is applied.
  const mounts = { [account]: await operatorCredentials(server), '/config': join(root, 'config') };
  const operator = new EmulatedMachine(operatorImage, mounts).start(
    flags({
      ...{ 'agent-image': 'jvs-agent:dev', 'webhook-url': `https://127.0.0.1:${webhook}` },
      ...{ 'webhook-port': webhook, 'link-port': link, 'health-port': health, 'metrics-port': metrics },
    }),
    { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  );
  stack.defer(async () => {
    operator.kill('SIGKILL');
    await ended(operator);
  });
  await eventually(
    'the operator is ready',
    async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok,
    120,
  );
  await world.makeWorkspaces(places);
  const [member] = await world.makePods(places);
  const pod = await client.get(pods, { namespace: place.namespace, name: member?.pod ?? '' });
  expect(pod?.spec?.initContainers?.map(({ name }) => name)).toEqual(['jvs-agent']);

  const volume = makeVolume('linked');
  const trusted = mkdtempSync(join(scratch, 'link-'));
  writeFileSync(join(trusted, 'ca.crt'), await world.authority(place));
  writeFileSync(join(trusted, 'token'), member?.token ?? '');
  const agent = new EmulatedMachine(agentImage, { '/volume': volume, '/run/link': trusted }).start(
    flags({
      ...{ namespace: place.namespace, workspace: place.name, pod: member?.pod, volume: '/volume' },
      ...{ 'debug-address': '127.0.0.1:0', 'health-port': '0', 'transfer-port': '0' },
      ...{ 'link-address': `localhost:${link}`, 'link-ca-file': '/run/link/ca.crt' },
      'link-token-file': '/run/link/token',
    }),
  );
  stack.defer(async () => {
    agent.kill('SIGKILL');
    await ended(agent);
  });
  await world.snapshot(place, 'one');
  expect(await here(volume, 'verify', '--all')).toMatch(/^\d{13}-[0-9a-f]{8} {2}ok\n$/);
});
