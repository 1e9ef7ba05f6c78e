import { parseWorkspace, type Workspace, workspaces } from '../api/workspace.ts';
import type { KubeClient } from '../runtime/client.ts';
import type { Informer } from '../runtime/informer.ts';

/** The Workspace of that name with its defaults filled in; undefined when there is none. */
export type WorkspaceLookup = (
  namespace: string,
  name: string,
  signal: AbortSignal,
) => Promise<Workspace | undefined>;

/**
 * Out of the informer's cache; the API server is asked about what is not there, for a pod may come right after its
 * Workspace. Throws InvalidResource for a spec that can not be read, and what the client throws.
 */
export function lookupIn(
  informer: Pick<Informer<Workspace>, 'get'>,
  client: Pick<KubeClient, 'get'>,
): WorkspaceLookup {
  return async (namespace, name, signal) => {
    const known = informer.get(`${namespace}/${name}`);
    const object = known ?? (await client.get(workspaces, { namespace, name }, { signal }));
    return object && parseWorkspace(object);
  };
}
