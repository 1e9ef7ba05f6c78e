// Original file: proto/jvs/link/v1/link.proto

import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';

/**
 * All snapshots on the volume, oldest first, in pages that stay far below the message limit.
 */
export interface InventoryPageInput {
  'snapshots'?: (_jvs_agent_v1_SnapshotInput)[];
  'last'?: (boolean);
}

/**
 * All snapshots on the volume, oldest first, in pages that stay far below the message limit.
 */
export interface InventoryPage {
  'snapshots': (_jvs_agent_v1_Snapshot)[];
  'last': (boolean);
}
