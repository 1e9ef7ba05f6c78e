// Original file: proto/jvs/link/v1/link.proto


export interface HelloInput {
  /**
   * of the agent
   */
  'version'?: (string);
  /**
   * must equal the pod's label jvs.io/workspace
   */
  'workspace'?: (string);
  'pod'?: (string);
  'node'?: (string);
  /**
   * random, per process: tells a restart from a reconnect
   */
  'session'?: (string);
}

export interface Hello {
  /**
   * of the agent
   */
  'version': (string);
  /**
   * must equal the pod's label jvs.io/workspace
   */
  'workspace': (string);
  'pod': (string);
  'node': (string);
  /**
   * random, per process: tells a restart from a reconnect
   */
  'session': (string);
}
