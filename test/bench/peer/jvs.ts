// The operator, and a real agent for each volume, with files.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Mounted } from '../../../agent/repository/testing/filesystem.ts';
import { KubeClient } from '../../../operator/runtime/client.ts';
import { AuditLog } from '../../audit-log.ts';
import { ended, spawnBound } from '../../cluster/process.ts';
import { startInstalled } from '../../integration/kubectl.ts';
import { operatorCredentials } from '../../integration/operator-client.ts';
import { eventually } from '../../kubectl.ts';
import { each } from '../asked.ts';
import { agentImage } from '../images.ts';
import { Operator } from '../scale/operator.ts';
import { placesOf, World } from '../scale/world.ts';
import { apiServer, type System } from './system.ts';

/** Of each volume's tree. */
export const tree = { folders: 10, filesEach: 10, bytes: 4096 };
const mebibytesEach = 40;

/** On an API server of its own. */
export async function startJvs(volumes: number): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const started = await startInstalled(['config/manager/'], { audit: true });
  const server = stack.adopt(started.server, (one) => one.stop());
  const auditLog = join(server.dir, 'audit.log');
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const client = KubeClient.fromKubeconfig(server.kubeconfig);
  const world = new World(client, stop.signal);
  const places = placesOf(volumes);
  const placeOf = (volume: number) => places[volume] ?? { namespace: '', name: '' };
  await world.makeNamespaces(places);

  const credentials = await operatorCredentials(server);
  const operator = stack.adopt(new Operator(server.url, credentials, auditLog), (one) => one.kill());
  await operator.ready();
  await world.makeWorkspaces(places);
  const members = await world.makePods(places);
  const ca = await world.authority(placeOf(0));

  const disk = stack.use(Mounted.loop('ext4', volumes * mebibytesEach));
  // Where the benchmark is stopped early, agents are still there.
  const leave = () => {
    execFileSync('umount', ['--lazy', disk.path]);
    rmSync(dirname(disk.path), { recursive: true });
  };
  process.once('exit', leave);
  stack.defer(() => void process.off('exit', leave));
  const folderOf = (volume: number) => join(disk.path, `volume-${volume}`);
  const agents = await each(members, async (member) => {
    const folder = folderOf(members.indexOf(member));
    const link = join(server.dir, 'link', member.pod);
    await Promise.all([makeTree(join(folder, 'main')), mkdir(link, { recursive: true })]);
    await writeFile(join(link, 'ca.crt'), ca);
    await writeFile(join(link, 'token'), member.token);
    const namespace = places.find(({ name }) => name === member.workspace)?.namespace ?? '';
    return startAgent({ ...member, namespace, folder, link, port: operator.link });
  });
  stack.defer(async () => {
    for (const agent of agents) agent.kill('SIGTERM');
    await Promise.all(agents.map(ended));
  });
  await eventually(
    'all agents are connected',
    async () => (await operator.metric('jvs_operator_connected_agents')) === volumes,
    180,
  );
  await operator.idle();

  let changes = 0;
  const change = (volume: number) =>
    writeFile(join(folderOf(volume), 'main/folder-0/file-0'), `change ${++changes}`);
  const running = stack.move();
  return {
    audit: new AuditLog(auditLog),
    async snapshot({ volume, name }) {
      await change(volume);
      return world.snapshot(placeOf(volume), name);
    },
    async snapshots(asked) {
      await each([...new Set(asked.map(({ volume }) => volume))], change);
      return world.allSnapshots(asked.map(({ volume, name }) => ({ place: placeOf(volume), name })));
    },
    processes: {
      operator: [operator.pid],
      agent: agents.map(({ pid = 0 }) => pid),
      [apiServer]: server.pids,
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function makeTree(directory: string): Promise<void> {
  for (let folder = 0; folder < tree.folders; folder++) {
    const path = join(directory, `folder-${folder}`);
    await mkdir(path, { recursive: true });
    for (let file = 0; file < tree.filesEach; file++)
      await writeFile(join(path, `file-${file}`), Buffer.alloc(tree.bytes, `${folder}-${file} `));
  }
}

interface AgentOptions {
  workspace: string;
  namespace: string;
  pod: string;
  /** The volume. */
  folder: string;
  /** Holds `ca.crt` and `token`. */
  link: string;
  /** Of the operator. */
  port: number;
}

function startAgent({ workspace, namespace, pod, folder, link, port }: AgentOptions): ChildProcess {
  const flags = {
    ...{ workspace, namespace, pod, volume: folder, 'log-level': 'warn' },
    ...{ 'debug-address': '127.0.0.1:0', 'health-port': '0', 'transfer-port': '0' },
    ...{ 'link-address': `localhost:${port}`, 'link-ca-file': join(link, 'ca.crt') },
    'link-token-file': join(link, 'token'),
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return spawnBound(process.execPath, [...agentImage.flags, agentImage.main, ...args], {
    env: agentImage.environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
