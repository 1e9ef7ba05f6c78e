import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterId } from './paths.ts';
import { spawnBound } from './process.ts';

// The cluster's processes are those in its cgroups, and its pid namespace's first process is among them:
// that is all the state there is, so nothing that is killed half-way leaves wrong notes behind.
const name = `jvs-${clusterId}`;
const namespaces = ['--net', '--pid', '--mount', '--uts', '--ipc', '--cgroup'];

/** The hierarchies of cgroup v1, or the one of v2, as mounted on this machine. */
async function hierarchies(): Promise<string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts.filter(([, , type]) => type === 'cgroup' || type === 'cgroup2').map(([, path]) => path ?? '');
}

async function cgroups(): Promise<string[]> {
  return (await hierarchies()).map((path) => join(path, name));
}

/** The directories whose cgroup.procs a process of the cluster's own is in. */
async function memberCgroups(): Promise<string[]> {
  const all = await cgroups();
  // With v2 alone, processes may not sit beside the kubelet's child groups: node-setup.sh moves them to `init`.
  return all.length === 1 ? [join(all[0] ?? '', 'init'), ...all] : all;
}

/** Starts a program as the first process of new namespaces and cgroups; it lives on without us. */
export async function createNamespace(program: string, args: readonly string[], log: number): Promise<void> {
  const dirs = await cgroups();
  for (const dir of dirs) {
    await mkdir(dir, { recursive: true });
    // A v1 cpuset takes no process before it has these.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const inherited = await readFile(join(dir, '..', file), 'utf8').catch(() => '');
      if (inherited.trim()) await writeFile(join(dir, file), inherited).catch(() => {});
    }
  }
  const unshare = ['unshare', ...namespaces, '--fork', '--kill-child', '--mount-proc', program, ...args];
  const child = spawn('sh', ['-c', joinAndExec, 'sh', dirs.join('\n'), ...unshare], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  child.unref();
}

/** Puts itself into the cgroups that $1 names one a line, then becomes the command that follows. */
const joinAndExec = 'echo "$1" | while read -r d; do echo $$ > "$d/cgroup.procs"; done; shift; exec "$@"';

/** The pid, as seen here, of the namespace's first process; undefined when the cluster does not run. */
export async function namespaceInit(): Promise<number | undefined> {
  const own = (await nsPids('self'))?.length ?? 1;
  for (const dir of await memberCgroups()) {
    for (const pid of await processesOf(dir)) {
      const pids = await nsPids(pid);
      if (pids?.length === own + 1 && pids.at(-1) === '1') return pid;
    }
  }
  return undefined;
}

/** A process's pids, from our namespace inwards. */
async function nsPids(pid: number | 'self'): Promise<string[] | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return status.match(/^NSpid:\s*(.*)$/m)?.[1]?.split(/\s+/);
}

/** Runs a command in the namespaces, in the directory given; it dies when this process does. */
export async function enterNamespace(
  init: number,
  command: readonly string[],
  options: SpawnOptions & { cwd: string },
): Promise<ChildProcess> {
  // The first that exists of each hierarchy: v2's `init` comes before its parent.
  const dirs = (await cgroups()).length === 1 ? (await memberCgroups()).slice(0, 1) : await cgroups();
  const nsenter = ['nsenter', '-t', `${init}`, ...namespaces];
  const inside = ['setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', 'cd "$0" && exec "$@"', options.cwd];
  return spawnBound('sh', ['-c', joinAndExec, 'sh', dirs.join('\n'), ...nsenter, ...inside, ...command], {
    ...options,
    cwd: '/',
  });
}

/** Kills every process in the cluster's cgroups and removes these; mounts and network go with the last one. */
export async function destroyNamespace(): Promise<void> {
  const init = await namespaceInit();
  if (init !== undefined) kill(init);
  const deadline = Date.now() + 30_000;
  for (const dir of await cgroups()) {
    while (!(await removeCgroup(dir))) {
      if (Date.now() > deadline) throw new Error(`${dir} still has processes that do not die`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function removeCgroup(dir: string): Promise<boolean> {
  const children = await readdir(dir, { withFileTypes: true }).catch(() => undefined);
  if (!children) return true;
  for (const child of children) {
    if (child.isDirectory()) await removeCgroup(join(dir, child.name));
  }
  for (const pid of await processesOf(dir)) kill(pid);
  return rmdir(dir).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

async function processesOf(dir: string): Promise<number[]> {
  const text = await readFile(join(dir, 'cgroup.procs'), 'utf8').catch(() => '');
  // Pid 0 stands for a process outside our pid namespace.
  return text.split('\n').map(Number).filter(Boolean);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
