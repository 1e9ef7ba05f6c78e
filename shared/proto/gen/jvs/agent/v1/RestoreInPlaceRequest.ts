// Original file: proto/jvs/agent/v1/agent.proto


export interface RestoreInPlaceRequestInput {
  'id'?: (string);
  /**
   * main where empty
   */
  'worktree'?: (string);
}

export interface RestoreInPlaceRequest {
  'id': (string);
  /**
   * main where empty
   */
  'worktree': (string);
}
