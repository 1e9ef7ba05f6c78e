// Original file: proto/jvs/agent/v1/agent.proto

import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';

export interface ListSnapshotsResponseInput {
  'snapshots'?: (_jvs_agent_v1_SnapshotInput)[];
  /**
   * empty on the last page
   */
  'nextPageToken'?: (string);
  'totalSize'?: (number);
}

export interface ListSnapshotsResponse {
  'snapshots': (_jvs_agent_v1_Snapshot)[];
  /**
   * empty on the last page
   */
  'nextPageToken': (string);
  'totalSize': (number);
}
