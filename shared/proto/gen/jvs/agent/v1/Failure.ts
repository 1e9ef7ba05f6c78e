// Original file: proto/jvs/agent/v1/agent.proto


export interface FailureInput {
  'operation'?: (string);
  'requestUid'?: (string);
  'reason'?: (string);
  'message'?: (string);
}

export interface Failure {
  'operation': (string);
  'requestUid': (string);
  'reason': (string);
  'message': (string);
}
