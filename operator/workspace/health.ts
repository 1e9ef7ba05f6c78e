// What is wrong with the volume and the snapshots on it, gravest first. Pure.
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import { conditionOf } from '../api/conditions.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Observed } from './observed.ts';
import { acceptRepository, expectedRepository } from './repository.ts';

export interface Problem {
  reason: string;
  message: string;
}

const almostFull = { from: 0.9, until: 0.85 };
const idsInMessage = 5;

/** The word of an agent that has opened the repository: of one that has not, that it says nothing of it is no news. */
export const opened = ({ agent }: Pick<Observed, 'agent'>): AgentStatus | undefined =>
  agent?.status?.repositoryId ? agent.status : undefined;

export function assessVolume(observed: Observed): Problem[] {
  const { workspace } = observed;
  const { name } = workspace.metadata;
  // Without an agent nothing new is known; what was damaged or full a moment ago still is.
  const before = knownProblems(workspace);
  const status = opened(observed);
  if (!status) return before.filter(({ reason }) => lasting.has(reason));
  const { repositoryId, damaged, heldDeletions, usage } = status;
  const problems: Problem[] = [];
  const expected = expectedRepository(workspace);
  if (repositoryId && expected && repositoryId !== expected) {
    problems.push({
      reason: 'RepositoryChanged',
      message: `The volume holds repository ${repositoryId}, and these Snapshots are of ${expected}: none of them is changed. Put the volume back; or, to give up the Snapshots of the old one, kubectl annotate jvs ${name} --overwrite ${acceptRepository}=${repositoryId}`,
    });
  }
  if (damaged.length > 0) {
    const more = damaged.length > idsInMessage ? ` and ${damaged.length - idsInMessage} more` : '';
    problems.push({
      reason: 'SnapshotDamaged',
      message: `The files of ${damaged.slice(0, idsInMessage).join(', ')}${more} are not what was saved: restore from other snapshots, and have the storage checked`,
    });
  }
  const said = before.some(({ reason }) => reason === 'VolumeAlmostFull');
  const limit = said ? almostFull.until : almostFull.from;
  if (usage && usage.capacityBytes > 0 && usage.usedBytes >= usage.capacityBytes * limit) {
    problems.push({
      reason: 'VolumeAlmostFull',
      message: `The volume was 90 % full and is not below 85 % again: raise spec.storage, delete files or snapshots, or set spec.retentionPolicy`,
    });
  }
  if (heldDeletions > 0) {
    problems.push({
      reason: 'MassPruneHeld',
      message: `Retention would delete ${heldDeletions} snapshots, more than half of them, and waits: correct spec.retentionPolicy, or allow it by kubectl annotate jvs ${name} jvs.io/allow-mass-prune=true`,
    });
  }
  return problems;
}

const lasting = new Set(['RepositoryChanged', 'SnapshotDamaged', 'VolumeAlmostFull', 'MassPruneHeld']);

/** What the status says now. */
export function knownProblems(workspace: Workspace): Problem[] {
  const known = conditionOf(workspace, 'Degraded');
  return known?.status === 'True' ? splitProblems(known) : [];
}

/** The first gives the reason; the message has a line for each. */
export function joinProblems([first, ...rest]: readonly [Problem, ...Problem[]]): Problem {
  const lines = [first.message, ...rest.map(({ reason, message }) => `${reason}: ${message}`)];
  return { reason: first.reason, message: lines.map((line) => line.replaceAll('\n', ' ')).join('\n') };
}

/** The inverse of joinProblems. */
function splitProblems({ reason, message }: Problem): Problem[] {
  const [first = '', ...rest] = message.split('\n');
  return [
    { reason, message: first },
    ...rest.map((line) => {
      const colon = line.indexOf(': ');
      return { reason: line.slice(0, colon), message: line.slice(colon + 2) };
    }),
  ];
}
