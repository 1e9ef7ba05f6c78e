// Original file: proto/jvs/link/v1/link.proto

import type { RoleInput as _jvs_agent_v1_RoleInput, Role as _jvs_agent_v1_Role } from '../../../jvs/agent/v1/Role.ts';
import type { SnapshotRequestInput as _jvs_link_v1_SnapshotRequestInput, SnapshotRequest as _jvs_link_v1_SnapshotRequest } from '../../../jvs/link/v1/SnapshotRequest.ts';

export interface DesiredStateInput {
  'role'?: (_jvs_agent_v1_RoleInput);
  /**
   * spec.defaultEngine
   */
  'engine'?: (string);
  /**
   * not yet Ready or Failed, oldest first
   */
  'snapshots'?: (_jvs_link_v1_SnapshotRequestInput)[];
}

export interface DesiredState {
  'role': (_jvs_agent_v1_Role);
  /**
   * spec.defaultEngine
   */
  'engine': (string);
  /**
   * not yet Ready or Failed, oldest first
   */
  'snapshots': (_jvs_link_v1_SnapshotRequest)[];
}
