// kubectl for the demo and the e2e tests, against the current kubeconfig.
import { spawn } from 'node:child_process';

/** Runs a program to its end and resolves to its stdout. @throws Error with its stderr when it fails */
export async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}: ${stderr.trim()}`);
  return stdout;
}

export const kubectl = (...args: string[]): Promise<string> => run('kubectl', args);

/** Applies a manifest: YAML, or an object that becomes JSON. */
export const apply = (manifest: string | object): Promise<string> =>
  run('kubectl', ['apply', '-f', '-'], typeof manifest === 'string' ? manifest : JSON.stringify(manifest));

/** An object as the API server has it now. @throws Error when it is not there */
export async function get<T>(kind: string, name: string, namespace?: string): Promise<T> {
  return JSON.parse(await kubectl('get', kind, name, '-o', 'json', ...(namespace ? ['-n', namespace] : [])));
}

/** The name that kubectl has for a Workspace or Snapshot of ours, whatever else the cluster has. */
export const kinds = { workspace: 'workspaces.jvs.io', snapshot: 'snapshots.jvs.io' } as const;

/**
 * Looks until `look` gives something, and resolves to it; a throw counts as nothing yet.
 * @throws Error with what it saw last after `seconds`
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  seconds = 60,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
