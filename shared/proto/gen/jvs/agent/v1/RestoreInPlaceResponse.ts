// Original file: proto/jvs/agent/v1/agent.proto


export interface RestoreInPlaceResponseInput {
  'id'?: (string);
  'worktree'?: (string);
  /**
   * restore it to undo this one
   */
  'preRestoreSnapshotId'?: (string);
}

export interface RestoreInPlaceResponse {
  'id': (string);
  'worktree': (string);
  /**
   * restore it to undo this one
   */
  'preRestoreSnapshotId': (string);
}
