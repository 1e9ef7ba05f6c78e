import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findGo, goEnvironment } from './go.ts';
import { withLock } from './lock.ts';
import { cacheRoot } from './paths.ts';
import { spawnBound } from './process.ts';
import { say, step } from './progress.ts';

// Every program of the cluster is built from source: the module proxy is the one place that has them all.
const modules = join(import.meta.dirname, 'programs');

/** Program → [its folder under programs/, its package]. In the order of need: API server first. */
const programs = {
  etcd: ['node', './etcd'],
  'kube-apiserver': ['node', 'k8s.io/kubernetes/cmd/kube-apiserver'],
  kubectl: ['node', 'k8s.io/kubernetes/cmd/kubectl'],
  'kube-controller-manager': ['node', 'k8s.io/kubernetes/cmd/kube-controller-manager'],
  'kube-scheduler': ['node', 'k8s.io/kubernetes/cmd/kube-scheduler'],
  'kube-proxy': ['node', 'k8s.io/kubernetes/cmd/kube-proxy'],
  kubelet: ['node', 'k8s.io/kubernetes/cmd/kubelet'],
  containerd: ['node', 'github.com/containerd/containerd/v2/cmd/containerd'],
  'containerd-shim-runc-v2': ['node', 'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2'],
  ctr: ['node', 'github.com/containerd/containerd/v2/cmd/ctr'],
  coredns: ['coredns', '.'],
  pause: ['node', './pause'],
  grpcurl: ['node', 'github.com/fullstorydev/grpcurl/cmd/grpcurl'],
  helm: ['helm', '.'],
  'snapshot-controller': ['csi', 'github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller'],
  'csi-snapshotter': ['csi', 'github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter'],
  'kube-router': ['network', 'github.com/cloudnativelabs/kube-router/v2/cmd/kube-router'],
} as const satisfies Record<string, readonly [string, string]>;

export type Program = keyof typeof programs;
/** Modules whose programs share a directory, because they call each other. */
const clusterModules = ['coredns', 'node'];
const clusterPrograms = (Object.keys(programs) as Program[]).filter((name) =>
  clusterModules.includes(programs[name][0]),
);

/**
 * Builds what is missing of `wanted` and gives the directory that holds the programs: those of the cluster, or those
 * of one other module.
 */
export async function ensureBinaries(wanted: readonly Program[] = clusterPrograms): Promise<string> {
  const used = [...new Set(wanted.map((name) => programs[name][0]))];
  const cluster = used.every((module) => clusterModules.includes(module));
  if (!cluster && used.length > 1) throw new Error(`no directory holds all of ${wanted.join(', ')}`);
  const dir = join(cacheRoot, 'bin', await sourceKey(cluster ? clusterModules : used));
  const missing = () => wanted.filter((name) => !existsSync(join(dir, name)));
  if (missing().length === 0) return dir;
  await mkdir(dir, { recursive: true });
  await withLock(join(dir, '.lock'), async () => {
    const todo = missing();
    if (todo.length === 0) return;
    const go = await findGo();
    say(
      `Building ${todo.join(', ')} from source; about 8 minutes for all on two cores, then cached in ${dir}`,
    );
    for (const [i, name] of todo.entries()) {
      await step(`build ${name} (${i + 1}/${todo.length})`, () => build(go, name, dir));
    }
  });
  return dir;
}

/** One program, put in place by a rename: an interrupted build leaves nothing that looks complete. */
async function build(go: string, name: Program, dir: string): Promise<void> {
  const [module, pkg] = programs[name];
  const project = join(modules, module);
  // One name for all builders, of which the lock lets one at a time: what a killed one left is overwritten.
  const temporary = join(dir, `.${name}.tmp`);
  const args = ['build', '-trimpath', '-ldflags', `-s -w ${versionStamps(project)}`, '-o', temporary, pkg];
  const child = spawnBound(go, args, {
    cwd: project,
    env: goEnvironment,
    // go reports each download on standard error, which is noise until it fails.
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    await rm(temporary, { force: true });
    throw new Error(`go ${args.join(' ')} (in ${project}): exit ${code}\n${stderr.slice(-4000)}`);
  }
  await rename(temporary, join(dir, name));
}

/** Without these stamps Kubernetes reports v0.0.0 and its clients warn about skew. The program's own pins win. */
function versionStamps(project: string): string {
  const goMods = [basename(project), 'node'].map((name) =>
    readFileSync(join(modules, name, 'go.mod'), 'utf8'),
  );
  const version = (module: string) =>
    goMods.join('\n').match(new RegExp(`^\\s*${module} (v\\S+)`, 'm'))?.[1] ?? 'unknown';
  const kubernetes = version('k8s\\.io/kubernetes');
  const [major = '', minor = ''] = kubernetes.slice(1).split('.');
  const stamp = {
    'k8s.io/component-base/version.gitVersion': kubernetes,
    'k8s.io/component-base/version.gitMajor': major,
    'k8s.io/component-base/version.gitMinor': minor,
    'k8s.io/component-base/version.gitTreeState': 'clean',
    'github.com/containerd/containerd/v2/version.Version': version('github\\.com/containerd/containerd/v2'),
    'main.version': version('github\\.com/(?:fullstorydev/grpcurl|kubernetes-csi/external-snapshotter/v8)'),
  };
  return Object.entries(stamp)
    .map(([name, value]) => `-X ${name}=${value}`)
    .join(' ');
}

/** Changes with every source and pin that the programs of `names` are built from. */
async function sourceKey(names: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(process.arch);
  const all = await Promise.all(
    names.map(async (name) =>
      (await readdir(join(modules, name), { recursive: true })).map((file) => join(name, file)),
    ),
  );
  const files = all.flat().filter((file) => /\.(go|mod|sum)$/.test(file));
  for (const file of files.sort()) hash.update(file).update(await readFile(join(modules, file)));
  return hash.digest('hex').slice(0, 16);
}
