import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ensureBinaries } from './binaries.ts';
import { type ClusterStatus, readStatus } from './control.ts';
import { withLock } from './lock.ts';
import { createNamespace, destroyNamespace, enterNamespace, namespaceInit } from './namespace.ts';
import { ensureNodeImages } from './node-images.ts';
import { ensurePackages } from './packages.ts';
import { checkout, clusterDir, clusterId } from './paths.ts';
import { say, step } from './progress.ts';

const lockFile = `${clusterDir}.lock`;
const supervisorLog = join(clusterDir, 'supervisor.log');
const startsWithin = 180_000;

/** Brings this checkout's cluster up; says so at once when it is, and cleans up first when it is half-up. */
export async function up(): Promise<void> {
  requireRoot();
  await withLock(lockFile, async () => {
    const status = await readStatus(clusterDir);
    if (status?.phase === 'ready' && (await namespaceInit()) !== undefined) {
      return say(`The cluster is up already (${clusterDir}).`);
    }
    await ensurePackages();
    const bin = await ensureBinaries();
    const images = await ensureNodeImages(bin);
    await step('cluster up', async () => {
      await clean();
      await mkdir(clusterDir, { recursive: true });
      const supervisor = [
        process.execPath,
        join(import.meta.dirname, 'supervisor.ts'),
        clusterDir,
        bin,
        images,
      ];
      // The shell is the namespace's first process for one purpose: unlike Node, it reaps orphans.
      const args = ['-c', '"$@"; exit $?', 'sh', ...supervisor];
      await createNamespace('sh', args, openSync(supervisorLog, 'a'));
      await followStart();
    });
  });
}

/** Repeats the supervisor's progress until it says that the cluster is ready or has failed. */
async function followStart(): Promise<void> {
  const deadline = Date.now() + startsWithin;
  let shown = 0;
  let status: ClusterStatus | undefined;
  while (Date.now() < deadline) {
    status = await readStatus(clusterDir);
    const log = await readFile(supervisorLog, 'utf8');
    const whole = log.lastIndexOf('\n') + 1;
    process.stderr.write(log.slice(shown, whole));
    shown = whole;
    if (status?.phase === 'ready') return;
    if (status?.phase === 'failed') break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`The cluster did not start (${status?.message || 'no answer'}); logs are in ${clusterDir}`);
}

/** Ends the cluster and removes all that it left: processes, cgroups, state, volumes. */
export async function down(): Promise<void> {
  requireRoot();
  await withLock(lockFile, clean);
  // The lock's file stays: removing it would let a waiting `up` and a new one hold different locks.
}

async function clean(): Promise<void> {
  await destroyNamespace();
  await rm(clusterDir, { recursive: true, force: true });
}

/** What runs, or undefined when nothing does. */
export async function status(): Promise<ClusterStatus | undefined> {
  if ((await namespaceInit()) === undefined) return undefined;
  return (await readStatus(clusterDir)) ?? { phase: 'failed', message: 'no supervisor', components: {} };
}

/** Starts a command inside the cluster's namespaces, where its API server, pods and volumes are reached. */
export async function enter(
  command: readonly string[],
  options: SpawnOptions = { stdio: 'inherit' },
): Promise<ChildProcess> {
  requireRoot();
  const init = await namespaceInit();
  if (init === undefined) throw new Error('The cluster is not up: npm run cluster -- up');
  const path = [await ensureBinaries(), join(checkout, 'node_modules/.bin'), process.env.PATH];
  return enterNamespace(init, command, {
    ...options,
    cwd: process.cwd(),
    env: {
      ...process.env,
      PATH: path.join(delimiter),
      KUBECONFIG: join(clusterDir, 'kubeconfig'),
      KUBECACHEDIR: join(clusterDir, 'kubectl-cache'),
      CONTAINERD_NAMESPACE: 'k8s.io',
      CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS: 'true',
      JVS_CLUSTER: clusterId,
    },
  });
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error('The local cluster makes namespaces, cgroups and mounts of its own: run it as root.');
}
