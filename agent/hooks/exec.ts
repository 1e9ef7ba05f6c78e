import { type ChildProcess, spawn } from 'node:child_process';
import type { HookContext } from './hook.ts';
import { said } from './http.ts';

/** The last of what it prints is told when it fails. */
const mostKept = 2048;

/**
 * A command, without a shell; resolves with exit status 0. It is the leader of a process group, which ends with it: by
 * itself, or killed when `signal` aborts.
 */
export function runCommand(
  [program = '', ...argv]: readonly string[],
  { hook, worktree, volume }: HookContext,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of the agent's own.
      env: { PATH: process.env.PATH, JVS_HOOK: hook, JVS_WORKTREE: worktree, JVS_VOLUME: volume },
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        printed = (printed + chunk).slice(-mostKept);
      });
    }
    const end = () => killGroup(child);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    child.on('error', (cause) => {
      signal.removeEventListener('abort', end);
      reject(new Error(`${program} can not be run: ${cause.message}`, { cause }));
    });
    // Not `close`: what it left in the background may hold its output open for ever.
    child.on('exit', (status, killedBy) => {
      signal.removeEventListener('abort', end);
      end();
      setImmediate(() => {
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        const how = killedBy ? `was ended by ${killedBy}` : `ended with exit status ${status}`;
        if (status === 0) resolve();
        else reject(new Error(`${program} ${how}${said(printed.slice(-256))}`));
      });
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
