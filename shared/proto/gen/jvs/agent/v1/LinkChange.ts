// Original file: proto/jvs/agent/v1/agent.proto


export interface LinkChangeInput {
  'connected'?: (boolean);
  'message'?: (string);
}

export interface LinkChange {
  'connected': (boolean);
  'message': (string);
}
