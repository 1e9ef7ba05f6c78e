// Original file: proto/jvs/link/v1/link.proto

import type { RoleInput as _jvs_agent_v1_RoleInput, Role as _jvs_agent_v1_Role } from '../../../jvs/agent/v1/Role.ts';
import type { SnapshotRequestInput as _jvs_link_v1_SnapshotRequestInput, SnapshotRequest as _jvs_link_v1_SnapshotRequest } from '../../../jvs/link/v1/SnapshotRequest.ts';
import type { ScheduleInput as _jvs_link_v1_ScheduleInput, Schedule as _jvs_link_v1_Schedule } from '../../../jvs/link/v1/Schedule.ts';
import type { RetentionInput as _jvs_link_v1_RetentionInput, Retention as _jvs_link_v1_Retention } from '../../../jvs/link/v1/Retention.ts';

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
  /**
   * absent: none
   */
  'schedule'?: (_jvs_link_v1_ScheduleInput | null);
  'retention'?: (_jvs_link_v1_RetentionInput | null);
  /**
   * ids that retention must not delete
   */
  'pinned'?: (string)[];
  /**
   * more than half of the snapshots may go at once
   */
  'allowMassPrune'?: (boolean);
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
  /**
   * absent: none
   */
  'schedule': (_jvs_link_v1_Schedule | null);
  'retention': (_jvs_link_v1_Retention | null);
  /**
   * ids that retention must not delete
   */
  'pinned': (string)[];
  /**
   * more than half of the snapshots may go at once
   */
  'allowMassPrune': (boolean);
}
