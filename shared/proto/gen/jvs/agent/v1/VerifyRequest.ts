// Original file: proto/jvs/agent/v1/agent.proto


export interface VerifyRequestInput {
  'id'?: (string);
}

export interface VerifyRequest {
  'id': (string);
}
