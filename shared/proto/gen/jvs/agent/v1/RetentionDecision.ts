// Original file: proto/jvs/agent/v1/agent.proto


export interface RetentionDecisionInput {
  'id'?: (string);
  'keep'?: (boolean);
  'reasons'?: (string)[];
}

export interface RetentionDecision {
  'id': (string);
  'keep': (boolean);
  'reasons': (string)[];
}
