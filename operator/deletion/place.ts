// Whether the data that a resource stands for can still be reached, and is the resource's to delete. Pure.
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';
import type { ObjectMeta } from '../runtime/types.ts';
import { isOurClaim } from '../workspace/objects.ts';
import { expectedRepository } from '../workspace/repository.ts';

/** Where the data of a workspace is, or was. */
export interface Place {
  /** undefined when it is gone. */
  workspace: Workspace | undefined;
  claim: PersistentVolumeClaim | undefined;
  /** The namespace goes with all that is in it. */
  namespaceEnds: boolean;
  /** The primary, when one is connected. */
  agent: ConnectedAgent | undefined;
}

/** Why a resource that is being deleted goes without its data; undefined when the data is there to be deleted. */
export function whyLetGo(
  { workspace, claim, namespaceEnds, agent }: Place,
  metadata: ObjectMeta,
): string | undefined {
  if (namespaceEnds) return 'the namespace is being deleted';
  if (!workspace) return 'its Workspace is gone';
  if (workspace.metadata.deletionTimestamp) return 'its Workspace is being deleted';
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === 'Workspace');
  if (owner && owner.uid !== workspace.metadata.uid) return 'it belongs to an earlier Workspace of that name';
  if (!claim || !isOurClaim(claim, workspace.metadata.name)) return 'the volume claim is gone';
  if (claim.status?.phase === 'Lost') return 'the volume is gone';
  const repository = agent?.status?.repositoryId;
  const expected = expectedRepository(workspace);
  if (repository && expected && repository !== expected)
    return `the volume holds another repository, ${repository}`;
  return undefined;
}

/** An agent whose word on what is not on the volume counts: it has told everything, of the right repository. */
export function witness({ workspace, agent }: Place): ConnectedAgent | undefined {
  if (!workspace || !agent?.inventoryComplete || !agent.status || agent.status.problem) return undefined;
  return agent.status.repositoryId === expectedRepository(workspace) ? agent : undefined;
}
