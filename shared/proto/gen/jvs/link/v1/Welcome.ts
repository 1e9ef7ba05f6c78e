// Original file: proto/jvs/link/v1/link.proto


export interface WelcomeInput {
  /**
   * of the operator
   */
  'version'?: (string);
  /**
   * The agent sends something at least this often; the operator takes three silent ones for a dead agent.
   */
  'heartbeatSeconds'?: (number);
}

export interface Welcome {
  /**
   * of the operator
   */
  'version': (string);
  /**
   * The agent sends something at least this often; the operator takes three silent ones for a dead agent.
   */
  'heartbeatSeconds': (number);
}
