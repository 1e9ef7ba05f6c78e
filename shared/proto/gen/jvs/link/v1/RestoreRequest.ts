// Original file: proto/jvs/link/v1/link.proto


/**
 * Brings a worktree back in place, or makes a new one. The agent remembers on the volume that it was done.
 */
export interface RestoreRequestInput {
  /**
   * of the Restore resource; of a Snapshot with restoreOnCreate its uid and "-restore"
   */
  'uid'?: (string);
  'name'?: (string);
  'snapshotId'?: (string);
  /**
   * replaced in place; empty where new_worktree is set
   */
  'worktree'?: (string);
  'newWorktree'?: (string);
  /**
   * of a restore in place
   */
  'preRestoreSnapshot'?: (boolean);
}

/**
 * Brings a worktree back in place, or makes a new one. The agent remembers on the volume that it was done.
 */
export interface RestoreRequest {
  /**
   * of the Restore resource; of a Snapshot with restoreOnCreate its uid and "-restore"
   */
  'uid': (string);
  'name': (string);
  'snapshotId': (string);
  /**
   * replaced in place; empty where new_worktree is set
   */
  'worktree': (string);
  'newWorktree': (string);
  /**
   * of a restore in place
   */
  'preRestoreSnapshot': (boolean);
}
