// Original file: proto/jvs/link/v1/link.proto

import type { RoleInput as _jvs_agent_v1_RoleInput, Role as _jvs_agent_v1_Role } from '../../../jvs/agent/v1/Role.ts';
import type { SnapshotRequestInput as _jvs_link_v1_SnapshotRequestInput, SnapshotRequest as _jvs_link_v1_SnapshotRequest } from '../../../jvs/link/v1/SnapshotRequest.ts';
import type { ScheduleInput as _jvs_link_v1_ScheduleInput, Schedule as _jvs_link_v1_Schedule } from '../../../jvs/link/v1/Schedule.ts';
import type { RetentionInput as _jvs_link_v1_RetentionInput, Retention as _jvs_link_v1_Retention } from '../../../jvs/link/v1/Retention.ts';
import type { RestoreRequestInput as _jvs_link_v1_RestoreRequestInput, RestoreRequest as _jvs_link_v1_RestoreRequest } from '../../../jvs/link/v1/RestoreRequest.ts';
import type { DeletionInput as _jvs_link_v1_DeletionInput, Deletion as _jvs_link_v1_Deletion } from '../../../jvs/link/v1/Deletion.ts';
import type { HooksInput as _jvs_link_v1_HooksInput, Hooks as _jvs_link_v1_Hooks } from '../../../jvs/link/v1/Hooks.ts';
import type { InitialInput as _jvs_link_v1_InitialInput, Initial as _jvs_link_v1_Initial } from '../../../jvs/link/v1/Initial.ts';
import type { ExportInput as _jvs_link_v1_ExportInput, Export as _jvs_link_v1_Export } from '../../../jvs/link/v1/Export.ts';

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
  /**
   * not yet Completed or Failed, oldest first
   */
  'restores'?: (_jvs_link_v1_RestoreRequestInput)[];
  /**
   * until the inventory and the worktrees no longer have them
   */
  'deletions'?: (_jvs_link_v1_DeletionInput)[];
  /**
   * absent: none
   */
  'hooks'?: (_jvs_link_v1_HooksInput | null);
  /**
   * one when the agent is told to stop
   */
  'finalSnapshot'?: (boolean);
  /**
   * absent: none, or not known yet
   */
  'initial'?: (_jvs_link_v1_InitialInput | null);
  /**
   * snapshots that agents of other workspaces may fetch now
   */
  'exports'?: (_jvs_link_v1_ExportInput)[];
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
  /**
   * not yet Completed or Failed, oldest first
   */
  'restores': (_jvs_link_v1_RestoreRequest)[];
  /**
   * until the inventory and the worktrees no longer have them
   */
  'deletions': (_jvs_link_v1_Deletion)[];
  /**
   * absent: none
   */
  'hooks': (_jvs_link_v1_Hooks | null);
  /**
   * one when the agent is told to stop
   */
  'finalSnapshot': (boolean);
  /**
   * absent: none, or not known yet
   */
  'initial': (_jvs_link_v1_Initial | null);
  /**
   * snapshots that agents of other workspaces may fetch now
   */
  'exports': (_jvs_link_v1_Export)[];
}
