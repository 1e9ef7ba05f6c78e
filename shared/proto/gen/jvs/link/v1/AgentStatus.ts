// Original file: proto/jvs/link/v1/link.proto

import type { UsageInput as _jvs_agent_v1_UsageInput, Usage as _jvs_agent_v1_Usage } from '../../../jvs/agent/v1/Usage.ts';
import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';
import type { WorktreeInput as _jvs_agent_v1_WorktreeInput, Worktree as _jvs_agent_v1_Worktree } from '../../../jvs/agent/v1/Worktree.ts';

export interface AgentStatusInput {
  'repositoryId'?: (string);
  /**
   * head of worktree main
   */
  'currentSnapshotId'?: (string);
  'effectiveEngine'?: (string);
  /**
   * why the effective engine is not the one asked for; empty when it is
   */
  'engineFallback'?: (string);
  /**
   * type of the volume: ext4, xfs, btrfs, fuse.juicefs, …
   */
  'filesystem'?: (string);
  'usage'?: (_jvs_agent_v1_UsageInput | null);
  /**
   * why the agent can not do its work; empty when it can
   */
  'problem'?: (string);
  /**
   * CamelCase, for a condition
   */
  'problemReason'?: (string);
  'snapshotCount'?: (number);
  /**
   * when the schedule will really run; absent without one
   */
  'nextSnapshotTime'?: (_google_protobuf_TimestampInput | null);
  /**
   * CamelCase, for condition Scheduled: Active, Suspended, InvalidSchedule, …
   */
  'scheduleReason'?: (string);
  'scheduleMessage'?: (string);
  /**
   * How many snapshots retention would delete if it were allowed to (the mass-prune breaker); 0 when it is not held.
   */
  'heldDeletions'?: (number);
  /**
   * ids of snapshots that no longer verify, at most 100
   */
  'damaged'?: (string)[];
  /**
   * at most 1000, main first
   */
  'worktrees'?: (_jvs_agent_v1_WorktreeInput)[];
  /**
   * SHA-256 of the DER certificate that this agent serves exports with, hexadecimal; empty where it serves none.
   */
  'transferCertificateSha256'?: (string);
  /**
   * user containers wait until DesiredState.initial is carried out
   */
  'awaitsInitial'?: (boolean);
}

export interface AgentStatus {
  'repositoryId': (string);
  /**
   * head of worktree main
   */
  'currentSnapshotId': (string);
  'effectiveEngine': (string);
  /**
   * why the effective engine is not the one asked for; empty when it is
   */
  'engineFallback': (string);
  /**
   * type of the volume: ext4, xfs, btrfs, fuse.juicefs, …
   */
  'filesystem': (string);
  'usage': (_jvs_agent_v1_Usage | null);
  /**
   * why the agent can not do its work; empty when it can
   */
  'problem': (string);
  /**
   * CamelCase, for a condition
   */
  'problemReason': (string);
  'snapshotCount': (number);
  /**
   * when the schedule will really run; absent without one
   */
  'nextSnapshotTime': (_google_protobuf_Timestamp | null);
  /**
   * CamelCase, for condition Scheduled: Active, Suspended, InvalidSchedule, …
   */
  'scheduleReason': (string);
  'scheduleMessage': (string);
  /**
   * How many snapshots retention would delete if it were allowed to (the mass-prune breaker); 0 when it is not held.
   */
  'heldDeletions': (number);
  /**
   * ids of snapshots that no longer verify, at most 100
   */
  'damaged': (string)[];
  /**
   * at most 1000, main first
   */
  'worktrees': (_jvs_agent_v1_Worktree)[];
  /**
   * SHA-256 of the DER certificate that this agent serves exports with, hexadecimal; empty where it serves none.
   */
  'transferCertificateSha256': (string);
  /**
   * user containers wait until DesiredState.initial is carried out
   */
  'awaitsInitial': (boolean);
}
