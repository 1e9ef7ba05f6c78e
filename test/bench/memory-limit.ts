// A limit of memory as a container has it: Node takes its measure from it.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

let made = 0;

/** A cgroup, of v1 or v2. Processes join it by writing their pid into `processes`; `remove` it when they are gone. */
export function limitMemory(mib: number): { processes: string; remove(): void } {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const v1 = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('memory'),
  );
  const root = (v1 ?? mounts.find(([, , type]) => type === 'cgroup2'))?.[1];
  if (!root) throw new Error('no memory cgroup is mounted');
  if (!v1) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
  const directory = join(root, `jvs-bench-${process.pid}-${++made}`);
  mkdirSync(directory);
  writeFileSync(join(directory, v1 ? 'memory.limit_in_bytes' : 'memory.max'), String(mib * 2 ** 20));
  return { processes: join(directory, 'cgroup.procs'), remove: () => rmdirSync(directory) };
}
