// Original file: proto/jvs/link/v1/link.proto


export interface ExecHookInput {
  /**
   * in the agent container, no shell
   */
  'command'?: (string)[];
}

export interface ExecHook {
  /**
   * in the agent container, no shell
   */
  'command': (string)[];
}
