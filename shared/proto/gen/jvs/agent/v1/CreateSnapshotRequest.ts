// Original file: proto/jvs/agent/v1/agent.proto


export interface CreateSnapshotRequestInput {
  'note'?: (string);
  'tags'?: (string)[];
  /**
   * main where empty
   */
  'worktree'?: (string);
}

export interface CreateSnapshotRequest {
  'note': (string);
  'tags': (string)[];
  /**
   * main where empty
   */
  'worktree': (string);
}
