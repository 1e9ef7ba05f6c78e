// Original file: proto/jvs/link/v1/link.proto

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';

/**
 * A snapshot is no longer on the volume. Said again on every connect for the last thousand, by id.
 */
export interface SnapshotRemovedInput {
  'id'?: (string);
  'time'?: (_google_protobuf_TimestampInput | null);
  /**
   * CamelCase: Pruned, Deleted by a person, or RemovedFromVolume where the agent did not do it
   */
  'reason'?: (string);
  'message'?: (string);
}

/**
 * A snapshot is no longer on the volume. Said again on every connect for the last thousand, by id.
 */
export interface SnapshotRemoved {
  'id': (string);
  'time': (_google_protobuf_Timestamp | null);
  /**
   * CamelCase: Pruned, Deleted by a person, or RemovedFromVolume where the agent did not do it
   */
  'reason': (string);
  'message': (string);
}
