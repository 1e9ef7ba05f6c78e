// What is sent to an agent. Pure.
import type { RoleInput } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Desired } from './agents.ts';

/** Agents receive messages of up to 4 MiB; a character of JSON is at most three bytes of protobuf. */
const MAX_CHARACTERS = 1024 * 1024;

/** The oldest requests that fit into one message: the others follow as these are finished. */
export function desiredState(desired: Desired, role: RoleInput): DesiredStateInput {
  const { snapshots, ...rest } = desired;
  let characters = 0;
  let count = 0;
  for (const request of snapshots) {
    characters += JSON.stringify(request).length;
    if (count > 0 && characters > MAX_CHARACTERS) break;
    count += 1;
  }
  return { ...rest, role, snapshots: snapshots.slice(0, count) };
}
