// Original file: proto/jvs/link/v1/link.proto

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';

/**
 * Something that people should hear of once: becomes an event of the Workspace. Said again until the next connect.
 */
export interface NoticeInput {
  /**
   * the same for the same happening, however often it is said
   */
  'id'?: (string);
  'time'?: (_google_protobuf_TimestampInput | null);
  'warning'?: (boolean);
  /**
   * CamelCase: SnapshotMissed, MassPruneHeld, SnapshotDamaged, …
   */
  'reason'?: (string);
  'message'?: (string);
}

/**
 * Something that people should hear of once: becomes an event of the Workspace. Said again until the next connect.
 */
export interface Notice {
  /**
   * the same for the same happening, however often it is said
   */
  'id': (string);
  'time': (_google_protobuf_Timestamp | null);
  'warning': (boolean);
  /**
   * CamelCase: SnapshotMissed, MassPruneHeld, SnapshotDamaged, …
   */
  'reason': (string);
  'message': (string);
}
