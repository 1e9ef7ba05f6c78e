// Original file: proto/jvs/agent/v1/agent.proto

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';
import type { IntegrityInput as _jvs_agent_v1_IntegrityInput, Integrity as _jvs_agent_v1_Integrity } from '../../../jvs/agent/v1/Integrity.ts';
import type { ConsistencyInput as _jvs_agent_v1_ConsistencyInput, Consistency as _jvs_agent_v1_Consistency } from '../../../jvs/agent/v1/Consistency.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * A snapshot as its descriptor on the volume states it.
 */
export interface SnapshotInput {
  'id'?: (string);
  'parentId'?: (string);
  'worktree'?: (string);
  'createdAt'?: (_google_protobuf_TimestampInput | null);
  'completedAt'?: (_google_protobuf_TimestampInput | null);
  'note'?: (string);
  'tags'?: (string)[];
  'engine'?: (string);
  'effectiveEngine'?: (string);
  'payloadRootHash'?: (string);
  'descriptorChecksum'?: (string);
  'integrity'?: (_jvs_agent_v1_IntegrityInput);
  'consistency'?: (_jvs_agent_v1_ConsistencyInput);
  /**
   * manual, auto, self, discovered, pre-restore, final
   */
  'origin'?: (string);
  /**
   * of the payload
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * written for this snapshot, not shared with its parent
   */
  'uniqueBytes'?: (number | string | Long);
  'fileCount'?: (number | string | Long);
  /**
   * fifos, sockets and devices, which a snapshot does not hold
   */
  'skippedCount'?: (number | string | Long);
  /**
   * uid of the Snapshot resource it was made for; empty when there is none
   */
  'requestUid'?: (string);
  /**
   * why retention keeps it; empty where it would be deleted
   */
  'keepReasons'?: (string)[];
  /**
   * when its files were last read and compared with its hash
   */
  'verifiedAt'?: (_google_protobuf_TimestampInput | null);
}

/**
 * A snapshot as its descriptor on the volume states it.
 */
export interface Snapshot {
  'id': (string);
  'parentId': (string);
  'worktree': (string);
  'createdAt': (_google_protobuf_Timestamp | null);
  'completedAt': (_google_protobuf_Timestamp | null);
  'note': (string);
  'tags': (string)[];
  'engine': (string);
  'effectiveEngine': (string);
  'payloadRootHash': (string);
  'descriptorChecksum': (string);
  'integrity': (_jvs_agent_v1_Integrity);
  'consistency': (_jvs_agent_v1_Consistency);
  /**
   * manual, auto, self, discovered, pre-restore, final
   */
  'origin': (string);
  /**
   * of the payload
   */
  'sizeBytes': (number);
  /**
   * written for this snapshot, not shared with its parent
   */
  'uniqueBytes': (number);
  'fileCount': (number);
  /**
   * fifos, sockets and devices, which a snapshot does not hold
   */
  'skippedCount': (number);
  /**
   * uid of the Snapshot resource it was made for; empty when there is none
   */
  'requestUid': (string);
  /**
   * why retention keeps it; empty where it would be deleted
   */
  'keepReasons': (string)[];
  /**
   * when its files were last read and compared with its hash
   */
  'verifiedAt': (_google_protobuf_Timestamp | null);
}
