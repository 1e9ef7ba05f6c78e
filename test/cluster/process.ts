import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks from boot to the process's start: field 22 of /proc/PID/stat. */
  startTime: string;
}

/** The identity of a running process; undefined when there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold spaces and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    if (startTime === undefined || fields[0] === 'Z') return undefined;
    return { pid, startTime };
  } catch {
    return undefined;
  }
}

export function isRunning(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

export function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Spawns a program that the kernel kills when this process ends in any way, SIGKILL included. */
export function spawnBound(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], options);
}

/** Resolves once the child has ended, at once when it has ended already. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** Runs a program to its end and gives its standard output; a failure carries its standard error. */
export async function output(
  program: string,
  args: readonly string[],
  { input, ...options }: SpawnOptions & { input?: string } = {},
): Promise<string> {
  const stdin = input === undefined ? 'ignore' : 'pipe';
  const child = spawn(program, args, { ...options, stdio: [stdin, 'pipe', 'pipe'] });
  child.stdin?.on('error', () => {}); // it may end without reading
  child.stdin?.end(input);
  return collect(child, `${program} ${args.join(' ')}`);
}

/** What a child with piped output prints until its end; `what` names it in the error when it fails. */
export function collect(child: ChildProcess, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (data) => {
      stdout += data;
    });
    child.stderr?.setEncoding('utf8').on('data', (data) => {
      stderr += data;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${what}: ${signal ?? `exit ${code}`}\n${stderr || stdout}`));
    });
  });
}

/** Whether something is mounted on the path. */
export const isMounted = (path: string): Promise<boolean> =>
  output('mountpoint', ['-q', path]).then(
    () => true,
    () => false,
  );
