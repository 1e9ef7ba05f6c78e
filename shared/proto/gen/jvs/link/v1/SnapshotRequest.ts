// Original file: proto/jvs/link/v1/link.proto

import type { CompressionInput as _jvs_link_v1_CompressionInput, Compression as _jvs_link_v1_Compression } from '../../../jvs/link/v1/Compression.ts';

export interface SnapshotRequestInput {
  'uid'?: (string);
  'name'?: (string);
  'worktree'?: (string);
  'note'?: (string);
  'tags'?: (string)[];
  /**
   * empty: the workspace's
   */
  'engine'?: (string);
  /**
   * snapshot id; fails when the worktree's head is another
   */
  'expectedParent'?: (string);
  /**
   * absent: none
   */
  'compression'?: (_jvs_link_v1_CompressionInput | null);
  /**
   * below the worktree; all of it where empty
   */
  'partialPaths'?: (string)[];
  /**
   * manual where empty, or final
   */
  'origin'?: (string);
}

export interface SnapshotRequest {
  'uid': (string);
  'name': (string);
  'worktree': (string);
  'note': (string);
  'tags': (string)[];
  /**
   * empty: the workspace's
   */
  'engine': (string);
  /**
   * snapshot id; fails when the worktree's head is another
   */
  'expectedParent': (string);
  /**
   * absent: none
   */
  'compression': (_jvs_link_v1_Compression | null);
  /**
   * below the worktree; all of it where empty
   */
  'partialPaths': (string)[];
  /**
   * manual where empty, or final
   */
  'origin': (string);
}
