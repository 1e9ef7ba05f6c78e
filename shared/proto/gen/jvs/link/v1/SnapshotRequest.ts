// Original file: proto/jvs/link/v1/link.proto


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
}
