// Original file: proto/jvs/link/v1/link.proto

import type { RoleInput as _jvs_agent_v1_RoleInput, Role as _jvs_agent_v1_Role } from '../../../jvs/agent/v1/Role.ts';

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
  /**
   * that it was told last: what a standby knows of the volume may be old
   */
  'role'?: (_jvs_agent_v1_RoleInput);
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
  /**
   * that it was told last: what a standby knows of the volume may be old
   */
  'role': (_jvs_agent_v1_Role);
}
