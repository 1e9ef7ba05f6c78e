// Whose snapshots the volume holds: another repository in its place proves nothing about the first one's. Pure.
import type { Workspace } from '../api/workspace.ts';
import type { ConnectedAgent } from '../link/agents.ts';
import type { PersistentVolumeClaim } from '../runtime/resources.ts';

/** Names the repository that a person has accepted in the place of the one before. */
export const acceptRepository = 'jvs.io/repository';

/** Undefined until an agent has told the first time. */
export const expectedRepository = ({ metadata, status }: Workspace): string | undefined =>
  metadata.annotations?.[acceptRepository] || status?.repositoryID;

/** A Workspace that has just been made may find the volume, and the pods, of one of its name that was deleted. */
export const isForerunners = (workspace: Workspace, claim: PersistentVolumeClaim | undefined): boolean =>
  expectedRepository(workspace) === undefined && claim?.metadata.deletionTimestamp !== undefined;

/** The agent that is asked for what this Workspace wants. */
export const ownAgent = ({
  workspace,
  claim,
  agent,
}: {
  workspace?: Workspace | undefined;
  claim?: PersistentVolumeClaim | undefined;
  agent?: ConnectedAgent | undefined;
}): ConnectedAgent | undefined => (workspace && isForerunners(workspace, claim) ? undefined : agent);
