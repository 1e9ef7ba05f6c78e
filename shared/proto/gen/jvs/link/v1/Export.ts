// Original file: proto/jvs/link/v1/link.proto


export interface ExportInput {
  'snapshotId'?: (string);
  /**
   * hexadecimal; who shows the token may read this snapshot
   */
  'tokenSha256'?: (string);
}

export interface Export {
  'snapshotId': (string);
  /**
   * hexadecimal; who shows the token may read this snapshot
   */
  'tokenSha256': (string);
}
