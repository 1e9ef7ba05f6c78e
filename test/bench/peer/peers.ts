// The CSI snapshot-controller and csi-snapshotter, with a driver that does nothing.
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeClient } from '../../../operator/runtime/client.ts';
import { defineResource, type KubeObject } from '../../../operator/runtime/types.ts';
import { AuditLog } from '../../audit-log.ts';
import { ensureBinaries } from '../../cluster/binaries.ts';
import { moduleSource } from '../../cluster/go.ts';
import { ended, spawnBound } from '../../cluster/process.ts';
import { startWithKubectl } from '../../integration/kubectl.ts';
import { kubeconfigOf } from '../../integration/operator-client.ts';
import { Asked } from '../asked.ts';
import { apiServer, type System } from './system.ts';
import { claimOf, driverName, makeClaims, namespace } from './volumes.ts';

interface VolumeSnapshot extends KubeObject {
  spec: { volumeSnapshotClassName: string; source: { persistentVolumeClaimName: string } };
  status?: { readyToUse?: boolean };
}
interface VolumeSnapshotClass extends KubeObject {
  driver: string;
  deletionPolicy: 'Delete' | 'Retain';
}

const group = 'snapshot.storage.k8s.io/v1';
const volumeSnapshots = defineResource<VolumeSnapshot>(group, 'VolumeSnapshot', 'volumesnapshots');
const volumeSnapshotClasses = defineResource<VolumeSnapshotClass>(
  group,
  'VolumeSnapshotClass',
  'volumesnapshotclasses',
  { namespaced: false },
);
const className = 'nothing';
/** As in the peers' own manifests. */
const accounts = {
  'snapshot-controller': { namespace: 'kube-system', name: 'snapshot-controller' },
  'csi-snapshotter': { namespace: 'default', name: 'csi-snapshotter' },
} as const;
type Peer = keyof typeof accounts;

const project = join(import.meta.dirname, '../../cluster/programs/csi');
const snapshotter = 'github.com/kubernetes-csi/external-snapshotter';

export const peerVersion: string =
  readFileSync(join(project, 'go.mod'), 'utf8').match(`${snapshotter}/v8 (v\\S+)`)?.[1] ?? 'unknown';

/** On an API server of their own. `flags` go to both. */
export async function startPeers(volumes: number, flags: readonly string[]): Promise<System> {
  const bin = await ensureBinaries(['snapshot-controller', 'csi-snapshotter']);
  const [deploy, client, spec] = await Promise.all([
    moduleSource(project, `${snapshotter}/v8`),
    moduleSource(project, `${snapshotter}/client/v8`),
    moduleSource(project, 'github.com/container-storage-interface/spec'),
  ]);
  await using stack = new AsyncDisposableStack();
  const users = Object.values(accounts).map((one) => `system:serviceaccount:${one.namespace}:${one.name}`);
  const { kubectl, ...started } = await startWithKubectl({ audit: users });
  const server = stack.adopt(started.server, (one) => one.stop());
  await kubectl('apply', '-k', join(client, 'config/crd'));
  const rbac = (peer: Peer) => join(deploy, `deploy/kubernetes/${peer}/rbac-${peer}.yaml`);
  await kubectl('apply', '-f', rbac('snapshot-controller'), '-f', rbac('csi-snapshotter'));

  const admin = KubeClient.fromKubeconfig(server.kubeconfig);
  await makeClaims(admin, volumes);
  const metadata = { name: className };
  await admin.create(volumeSnapshotClasses, { metadata, driver: driverName, deletionPolicy: 'Delete' });

  // What they say about themselves is much, and goes with the API server's folder.
  const log = openSync(join(server.dir, 'peers.log'), 'a');
  const run = (program: string, args: readonly string[]) =>
    stack.adopt(spawnBound(program, args, { stdio: ['ignore', log, log] }), (child) => {
      child.kill('SIGKILL');
      return ended(child);
    }).pid ?? 0;
  const socket = join(server.dir, 'csi.sock');
  const driver = run(process.execPath, [
    join(import.meta.dirname, 'driver.ts'),
    join(spec, 'csi.proto'),
    socket,
  ]);
  const peer = async (name: Peer, ...own: string[]) =>
    run(join(bin, name), [`--kubeconfig=${await kubeconfigOf(server, accounts[name])}`, ...own, ...flags]);
  // As in their manifests, where the sidecar has no leader election and the controller has.
  const leaderElection = ['--leader-election=true', '--leader-election-namespace=kube-system'];
  const processes = {
    'snapshot-controller': [await peer('snapshot-controller', ...leaderElection)],
    'csi-snapshotter': [await peer('csi-snapshotter', `--csi-address=${socket}`)],
    'the driver': [driver],
    [apiServer]: server.pids,
  };

  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const asked = new Asked(admin, volumeSnapshots, ({ status }) => status?.readyToUse === true, stop.signal);
  const objectOf = (one: { volume: number; name: string }): VolumeSnapshot => ({
    metadata: { namespace, name: one.name },
    spec: {
      volumeSnapshotClassName: className,
      source: { persistentVolumeClaimName: claimOf(one.volume) },
    },
  });
  const running = stack.move();
  return {
    audit: new AuditLog(join(server.dir, 'audit.log')),
    snapshot: (one) => asked.time(objectOf(one)),
    snapshots: (all) => asked.timeAll(all.map(objectOf)),
    processes,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
