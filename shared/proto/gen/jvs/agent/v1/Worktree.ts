// Original file: proto/jvs/agent/v1/agent.proto

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';

/**
 * A directory whose history goes on by itself: main, or worktrees/<name> on the volume.
 */
export interface WorktreeInput {
  'name'?: (string);
  /**
   * what it was forked from; empty for main
   */
  'baseSnapshotId'?: (string);
  /**
   * what its files came from; the parent of its next snapshot
   */
  'headSnapshotId'?: (string);
  /**
   * its newest; another one than the head after an older one was restored
   */
  'latestSnapshotId'?: (string);
  'createdAt'?: (_google_protobuf_TimestampInput | null);
}

/**
 * A directory whose history goes on by itself: main, or worktrees/<name> on the volume.
 */
export interface Worktree {
  'name': (string);
  /**
   * what it was forked from; empty for main
   */
  'baseSnapshotId': (string);
  /**
   * what its files came from; the parent of its next snapshot
   */
  'headSnapshotId': (string);
  /**
   * its newest; another one than the head after an older one was restored
   */
  'latestSnapshotId': (string);
  'createdAt': (_google_protobuf_Timestamp | null);
}
