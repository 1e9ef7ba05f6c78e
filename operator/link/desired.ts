// What is sent to an agent. Pure.
import type { RoleInput } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Desired } from './agents.ts';

/** Agents receive messages of up to 4 MiB; a character of JSON is at most three bytes of protobuf. */
const MAX_CHARACTERS = 1024 * 1024;

/** The oldest requests of each kind that fit into one message: the others follow as these are finished. */
export function desiredState(desired: Desired, role: RoleInput): DesiredStateInput {
  const { snapshots, restores, deletions, ...rest } = desired;
  let characters = 0;
  const fitting = <T>(requests: readonly T[]): T[] => {
    const end = requests.findIndex((request, index) => {
      characters += JSON.stringify(request).length;
      return index > 0 && characters > MAX_CHARACTERS;
    });
    return end < 0 ? [...requests] : requests.slice(0, end);
  };
  return {
    ...rest,
    role,
    snapshots: fitting(snapshots),
    ...(restores && { restores: fitting(restores) }),
    ...(deletions && { deletions: fitting(deletions) }),
  };
}
