// Programs that an engine's process has begun when it is killed. Where the agent is the first process of its container
// they become the agent's then, and Node waits for no program but its own: each would hold a process id for good.
import { readdirSync, readFileSync } from 'node:fs';
import { libc } from './fs/libc.ts';

const WNOHANG = 1;

/** None where it is gone, or Linux does not tell. */
export function childrenOf(pid: number | undefined): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const lists = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'));
    return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

/** Those of `pids` that have become this process's and still run: of the others, nothing is left. */
export function reap(pids: readonly number[]): number[] {
  return pids.filter((pid) => libc()?.waitpid(pid, 0n, WNOHANG) === 0);
}
