// Original file: proto/jvs/agent/v1/agent.proto


export interface GetSnapshotRequestInput {
  'id'?: (string);
}

export interface GetSnapshotRequest {
  'id': (string);
}
