// kubectl for the demo and the e2e tests, against the current kubeconfig.
import { output } from './cluster/process.ts';

export const kubectl = (...args: string[]): Promise<string> => output('kubectl', args);

/** Applies a manifest: YAML, or an object that becomes JSON. */
export const apply = (manifest: string | object): Promise<string> =>
  output('kubectl', ['apply', '-f', '-'], {
    input: typeof manifest === 'string' ? manifest : JSON.stringify(manifest),
  });

/** An object as the API server has it now. @throws Error when it is not there */
export async function get<T>(kind: string, name: string, namespace?: string): Promise<T> {
  return JSON.parse(await kubectl('get', kind, name, '-o', 'json', ...(namespace ? ['-n', namespace] : [])));
}

/** The name that kubectl has for a Workspace, Snapshot or Restore of ours, whatever else the cluster has. */
export const kinds = {
  workspace: 'workspaces.jvs.io',
  snapshot: 'snapshots.jvs.io',
  restore: 'restores.jvs.io',
} as const;

/**
 * Looks until `look` gives something, and resolves to it; a throw counts as nothing yet.
 * @throws Error with what it saw last after `seconds`
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  seconds = 180,
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
