// Original file: proto/jvs/link/v1/link.proto


/**
 * The snapshot of another workspace, or of this one, that main holds before user containers start.
 */
export interface InitialInput {
  'snapshotId'?: (string);
  /**
   * host:port of the agent that exports it
   */
  'address'?: (string);
  /**
   * of its certificate
   */
  'certificateSha256'?: (string);
  'token'?: (string);
}

/**
 * The snapshot of another workspace, or of this one, that main holds before user containers start.
 */
export interface Initial {
  'snapshotId': (string);
  /**
   * host:port of the agent that exports it
   */
  'address': (string);
  /**
   * of its certificate
   */
  'certificateSha256': (string);
  'token': (string);
}
