// Snapshots of what containers left that crashed, where the Workspace wants final ones. Pure.
import { createHash } from 'node:crypto';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';
import { isAgent } from '../api/agent.ts';
import type { Workspace } from '../api/workspace.ts';
import type { Identified } from '../link/agents.ts';
import type { Pod } from '../runtime/resources.ts';
import { crashPrefix } from './plan.ts';

/** An older crash says little about what is in the files now; milliseconds. */
const recent = 15 * 60_000;
/** A container that is started again and again changes nothing worth keeping in less; milliseconds. */
const shortRun = 60_000;

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

/**
 * One for each container's latest crash, in pods that go on: one that ends takes its final snapshot itself. `now`: epoch
 * ms.
 */
export function planCrashes(
  { spec }: Workspace,
  pods: readonly Pod[],
  now: number,
): Identified<SnapshotRequestInput>[] {
  if (!spec.finalSnapshot) return [];
  return pods
    .filter(goesOn)
    .flatMap((pod) =>
      (pod.status?.containerStatuses ?? [])
        .filter((container) => !isAgent(container))
        .flatMap((container) => planCrash(pod, container, now) ?? []),
    );
}

const goesOn = ({ metadata, status }: Pod): boolean =>
  status?.phase === 'Running' && !metadata.deletionTimestamp;

function planCrash(
  { metadata }: Pod,
  { name, state, lastState, restartCount }: ContainerStatus,
  now: number,
): Identified<SnapshotRequestInput> | undefined {
  const end = state?.terminated ?? lastState?.terminated;
  // The same crash has the same number before and after the restart.
  const run = state?.terminated ? restartCount : restartCount - 1;
  if (!end || end.exitCode === 0 || run < 0) return undefined;
  const finishedAt = Date.parse(end.finishedAt ?? '');
  if (!(now - finishedAt < recent)) return undefined;
  if (run > 0 && finishedAt - Date.parse(end.startedAt ?? '') < shortRun) return undefined;
  const uid = createHash('sha256').update(`${metadata.uid}/${name}/${run}`).digest('hex').slice(0, 16);
  return {
    uid: `${crashPrefix}${uid}`,
    name: `${metadata.name}/${name}`,
    worktree: metadata.annotations?.['jvs.io/worktree'] || 'main',
    note: `Container ${name} of pod ${metadata.name} ${howItEnded(end)} at ${end.finishedAt}`,
    origin: 'final',
  };
}

const howItEnded = ({ reason, exitCode }: Terminated): string =>
  reason === 'OOMKilled' ? 'was killed because it ran out of memory' : `crashed with exit code ${exitCode}`;
