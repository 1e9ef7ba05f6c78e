// Whose snapshots the volume holds: another repository in its place proves nothing about the first one's. Pure.
import type { Workspace } from '../api/workspace.ts';

/** Names the repository that a person has accepted in the place of the one before. */
export const acceptRepository = 'jvs.io/repository';

/** Undefined until an agent has told the first time. */
export const expectedRepository = ({ metadata, status }: Workspace): string | undefined =>
  metadata.annotations?.[acceptRepository] || status?.repositoryID;
