// What comes next on the way to the initial snapshot. Pure.
import * as z from 'zod/mini';
import type { Initial } from '../../shared/proto/gen/jvs/link/v1/Initial.ts';

/** `.jvs/agent/initial.json`: from before anything is received to the end of the volume. */
export const markerSchema = z.object({
  phase: z.enum(['copying', 'done']),
  snapshotId: z.string(),
  /** The Snapshot that it is of. */
  wanted: z.optional(z.string()),
});
export type Marker = z.infer<typeof markerSchema>;

export interface Facts {
  /** Of the Snapshot, as spec.initialSnapshot has it; undefined where the Workspace has none. */
  wanted: string | undefined;
  marker: Marker | undefined;
  /** Whether the marker's snapshot is on the volume. */
  received: boolean;
  /** Nothing is in main, and no snapshot is on the volume. */
  empty: boolean;
  /** As the operator last said it. */
  initial: Initial | undefined;
  primary: boolean;
}

export type Step =
  | { type: 'begin' }
  /** What an earlier Workspace waited for is given up. */
  | { type: 'abandon' }
  | { type: 'wait'; message: string }
  | { type: 'receive'; initial: Initial }
  | { type: 'restore'; snapshotId: string };

export function planStep({ wanted, marker, received, empty, initial, primary }: Facts): Step {
  if (marker?.phase === 'done') return { type: 'begin' };
  if (wanted === undefined) return marker ? { type: 'abandon' } : { type: 'begin' };
  // A volume that was kept: what is on it is what the workspace goes on with.
  if (!marker && !empty) return { type: 'begin' };
  if (!primary) {
    return {
      type: 'wait',
      message: `spec.initialSnapshot: waiting for the operator, or for the primary pod of the workspace, to bring ${wanted}`,
    };
  }
  // What an earlier Workspace of the volume wanted may be there too.
  const isWanted = marker?.wanted === undefined || marker.wanted === wanted;
  if (marker && received && isWanted) return { type: 'restore', snapshotId: marker.snapshotId };
  if (!initial) {
    return {
      type: 'wait',
      message: `spec.initialSnapshot: waiting until the operator says where snapshot ${wanted} is`,
    };
  }
  return { type: 'receive', initial };
}
