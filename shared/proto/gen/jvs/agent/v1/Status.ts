// Original file: proto/jvs/agent/v1/agent.proto

import type { RoleInput as _jvs_agent_v1_RoleInput, Role as _jvs_agent_v1_Role } from '../../../jvs/agent/v1/Role.ts';
import type { UsageInput as _jvs_agent_v1_UsageInput, Usage as _jvs_agent_v1_Usage } from '../../../jvs/agent/v1/Usage.ts';
import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';
import type { WorktreeInput as _jvs_agent_v1_WorktreeInput, Worktree as _jvs_agent_v1_Worktree } from '../../../jvs/agent/v1/Worktree.ts';

export interface StatusInput {
  'version'?: (string);
  'workspace'?: (string);
  'namespace'?: (string);
  'pod'?: (string);
  'node'?: (string);
  /**
   * The volume's repository; empty until it is initialised.
   */
  'repositoryId'?: (string);
  /**
   * engine asked for by the Workspace
   */
  'engine'?: (string);
  /**
   * engine that this volume can do
   */
  'effectiveEngine'?: (string);
  'snapshotCount'?: (number);
  /**
   * head of worktree main
   */
  'currentSnapshotId'?: (string);
  /**
   * a stream to the operator is open
   */
  'connected'?: (boolean);
  'role'?: (_jvs_agent_v1_RoleInput);
  /**
   * Why the agent can not do its work, in a sentence; empty when it can.
   */
  'problem'?: (string);
  'usage'?: (_jvs_agent_v1_UsageInput | null);
  /**
   * Why there is no stream to the operator, and what to do; empty while connected. Snapshots go on without it.
   */
  'linkProblem'?: (string);
  /**
   * when the schedule will really run; absent without one
   */
  'nextSnapshotTime'?: (_google_protobuf_TimestampInput | null);
  /**
   * that wait for annotation jvs.io/allow-mass-prune
   */
  'heldDeletions'?: (number);
  /**
   * ids of snapshots that no longer verify
   */
  'damaged'?: (string)[];
  'worktrees'?: (_jvs_agent_v1_WorktreeInput)[];
}

export interface Status {
  'version': (string);
  'workspace': (string);
  'namespace': (string);
  'pod': (string);
  'node': (string);
  /**
   * The volume's repository; empty until it is initialised.
   */
  'repositoryId': (string);
  /**
   * engine asked for by the Workspace
   */
  'engine': (string);
  /**
   * engine that this volume can do
   */
  'effectiveEngine': (string);
  'snapshotCount': (number);
  /**
   * head of worktree main
   */
  'currentSnapshotId': (string);
  /**
   * a stream to the operator is open
   */
  'connected': (boolean);
  'role': (_jvs_agent_v1_Role);
  /**
   * Why the agent can not do its work, in a sentence; empty when it can.
   */
  'problem': (string);
  'usage': (_jvs_agent_v1_Usage | null);
  /**
   * Why there is no stream to the operator, and what to do; empty while connected. Snapshots go on without it.
   */
  'linkProblem': (string);
  /**
   * when the schedule will really run; absent without one
   */
  'nextSnapshotTime': (_google_protobuf_Timestamp | null);
  /**
   * that wait for annotation jvs.io/allow-mass-prune
   */
  'heldDeletions': (number);
  /**
   * ids of snapshots that no longer verify
   */
  'damaged': (string)[];
  'worktrees': (_jvs_agent_v1_Worktree)[];
}
