// Original file: proto/jvs/agent/v1/agent.proto


export interface ListSnapshotsRequestInput {
  /**
   * 100 where 0, at most 1000
   */
  'pageSize'?: (number);
  /**
   * next_page_token of the page before
   */
  'pageToken'?: (string);
  /**
   * only of this worktree; all where empty
   */
  'worktree'?: (string);
  /**
   * only with this tag
   */
  'tag'?: (string);
}

export interface ListSnapshotsRequest {
  /**
   * 100 where 0, at most 1000
   */
  'pageSize': (number);
  /**
   * next_page_token of the page before
   */
  'pageToken': (string);
  /**
   * only of this worktree; all where empty
   */
  'worktree': (string);
  /**
   * only with this tag
   */
  'tag': (string);
}
