// Original file: proto/jvs/agent/v1/agent.proto


export interface ForkRequestInput {
  'id'?: (string);
  /**
   * name of the new worktree
   */
  'worktree'?: (string);
}

export interface ForkRequest {
  'id': (string);
  /**
   * name of the new worktree
   */
  'worktree': (string);
}
