// Original file: proto/jvs/link/v1/link.proto


/**
 * Asked for by a person: heads and bases go too, their worktrees fall back to the parent.
 */
export interface DeletionInput {
  /**
   * of the resource that is being deleted
   */
  'uid'?: (string);
  'snapshotId'?: (string);
  'worktree'?: (string);
  'what'?: "snapshotId"|"worktree";
}

/**
 * Asked for by a person: heads and bases go too, their worktrees fall back to the parent.
 */
export interface Deletion {
  /**
   * of the resource that is being deleted
   */
  'uid': (string);
  'snapshotId'?: (string);
  'worktree'?: (string);
  'what'?: "snapshotId"|"worktree";
}
