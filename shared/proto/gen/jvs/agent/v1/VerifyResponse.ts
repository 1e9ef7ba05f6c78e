// Original file: proto/jvs/agent/v1/agent.proto


export interface VerifyResponseInput {
  'id'?: (string);
  'valid'?: (boolean);
  'descriptorValid'?: (boolean);
  'payloadValid'?: (boolean);
  /**
   * what does not hold, and what to do; empty when valid
   */
  'message'?: (string);
}

export interface VerifyResponse {
  'id': (string);
  'valid': (boolean);
  'descriptorValid': (boolean);
  'payloadValid': (boolean);
  /**
   * what does not hold, and what to do; empty when valid
   */
  'message': (string);
}
