// Original file: proto/jvs/link/v1/link.proto


export interface HttpHookInput {
  /**
   * on localhost
   */
  'port'?: (number);
  'path'?: (string);
}

export interface HttpHook {
  /**
   * on localhost
   */
  'port': (number);
  'path': (string);
}
