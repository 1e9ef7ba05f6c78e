// npm run cluster -- up|down|status|sh|kubectl …|run -- CMD…
import type { ChildProcess } from 'node:child_process';
import { down, enter, status, up } from './lifecycle.ts';
import { childrenOf, ended } from './process.ts';
import { say } from './progress.ts';

const usage = `Usage: npm run cluster -- COMMAND

  up            start this checkout's cluster (does nothing when it is up)
  down          end it and remove all that it made
  status        what runs
  sh            a shell inside: kubectl, grpcurl and ctr are on its PATH
  kubectl …     kubectl inside
  run -- CMD …  any command inside, in the directory you are in`;

async function main(): Promise<number> {
  const [command, ...rest] = process.argv.slice(2);
  switch (command) {
    case 'up':
      await up();
      return 0;
    case 'down':
      await down();
      return 0;
    case 'status':
      return printStatus();
    case 'sh':
      return runInside([process.env.SHELL ?? 'sh']);
    case 'kubectl':
      return runInside(['kubectl', ...rest]);
    case 'run': {
      const given = rest[0] === '--' ? rest.slice(1) : rest;
      if (given.length > 0) return runInside(given);
    }
  }
  say(usage);
  return 2;
}

async function printStatus(): Promise<number> {
  const now = await status();
  console.log(now ? `${now.phase} ${now.message}`.trim() : 'down');
  for (const [name, pid] of Object.entries(now?.components ?? {})) {
    console.log(`  ${name.padEnd(24)} ${pid ?? 'down'}`);
  }
  return now?.phase === 'ready' ? 0 : 1;
}

/** Exit code and signals pass through: 128 + n when a signal ended the command. */
async function runInside(command: readonly string[]): Promise<number> {
  const child = await enter(command);
  // A terminal signals all of its foreground processes by itself.
  const forwarded: NodeJS.Signals[] = ['SIGTERM', 'SIGHUP'];
  if (!process.stdin.isTTY) forwarded.push('SIGINT');
  else process.on('SIGINT', () => {});
  for (const signal of forwarded) process.on(signal, () => signalCommand(child, signal));
  await ended(child);
  if (child.signalCode) process.kill(process.pid, child.signalCode);
  return child.exitCode ?? 1;
}

/** nsenter stays outside as the parent of what it runs and passes no signal on. */
function signalCommand(child: ChildProcess, signal: NodeJS.Signals): void {
  for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, signal);
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
