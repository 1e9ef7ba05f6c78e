// Original file: proto/jvs/agent/v1/agent.proto


export interface DiffRequestInput {
  /**
   * id of a snapshot
   */
  'from'?: (string);
  /**
   * id of a snapshot; worktree as it is now where empty
   */
  'to'?: (string);
  /**
   * main where empty; only without `to`
   */
  'worktree'?: (string);
}

export interface DiffRequest {
  /**
   * id of a snapshot
   */
  'from': (string);
  /**
   * id of a snapshot; worktree as it is now where empty
   */
  'to': (string);
  /**
   * main where empty; only without `to`
   */
  'worktree': (string);
}
