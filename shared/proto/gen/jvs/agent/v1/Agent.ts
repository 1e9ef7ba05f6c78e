// Original file: proto/jvs/agent/v1/agent.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateSnapshotRequestInput as _jvs_agent_v1_CreateSnapshotRequestInput, CreateSnapshotRequest as _jvs_agent_v1_CreateSnapshotRequest } from '../../../jvs/agent/v1/CreateSnapshotRequest.ts';
import type { DiffEntryInput as _jvs_agent_v1_DiffEntryInput, DiffEntry as _jvs_agent_v1_DiffEntry } from '../../../jvs/agent/v1/DiffEntry.ts';
import type { DiffRequestInput as _jvs_agent_v1_DiffRequestInput, DiffRequest as _jvs_agent_v1_DiffRequest } from '../../../jvs/agent/v1/DiffRequest.ts';
import type { EventInput as _jvs_agent_v1_EventInput, Event as _jvs_agent_v1_Event } from '../../../jvs/agent/v1/Event.ts';
import type { ForkRequestInput as _jvs_agent_v1_ForkRequestInput, ForkRequest as _jvs_agent_v1_ForkRequest } from '../../../jvs/agent/v1/ForkRequest.ts';
import type { GetSnapshotRequestInput as _jvs_agent_v1_GetSnapshotRequestInput, GetSnapshotRequest as _jvs_agent_v1_GetSnapshotRequest } from '../../../jvs/agent/v1/GetSnapshotRequest.ts';
import type { GetStatusRequestInput as _jvs_agent_v1_GetStatusRequestInput, GetStatusRequest as _jvs_agent_v1_GetStatusRequest } from '../../../jvs/agent/v1/GetStatusRequest.ts';
import type { ListSnapshotsRequestInput as _jvs_agent_v1_ListSnapshotsRequestInput, ListSnapshotsRequest as _jvs_agent_v1_ListSnapshotsRequest } from '../../../jvs/agent/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponseInput as _jvs_agent_v1_ListSnapshotsResponseInput, ListSnapshotsResponse as _jvs_agent_v1_ListSnapshotsResponse } from '../../../jvs/agent/v1/ListSnapshotsResponse.ts';
import type { PlanRetentionRequestInput as _jvs_agent_v1_PlanRetentionRequestInput, PlanRetentionRequest as _jvs_agent_v1_PlanRetentionRequest } from '../../../jvs/agent/v1/PlanRetentionRequest.ts';
import type { PlanRetentionResponseInput as _jvs_agent_v1_PlanRetentionResponseInput, PlanRetentionResponse as _jvs_agent_v1_PlanRetentionResponse } from '../../../jvs/agent/v1/PlanRetentionResponse.ts';
import type { RestoreInPlaceRequestInput as _jvs_agent_v1_RestoreInPlaceRequestInput, RestoreInPlaceRequest as _jvs_agent_v1_RestoreInPlaceRequest } from '../../../jvs/agent/v1/RestoreInPlaceRequest.ts';
import type { RestoreInPlaceResponseInput as _jvs_agent_v1_RestoreInPlaceResponseInput, RestoreInPlaceResponse as _jvs_agent_v1_RestoreInPlaceResponse } from '../../../jvs/agent/v1/RestoreInPlaceResponse.ts';
import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';
import type { StatusInput as _jvs_agent_v1_StatusInput, Status as _jvs_agent_v1_Status } from '../../../jvs/agent/v1/Status.ts';
import type { VerifyRequestInput as _jvs_agent_v1_VerifyRequestInput, VerifyRequest as _jvs_agent_v1_VerifyRequest } from '../../../jvs/agent/v1/VerifyRequest.ts';
import type { VerifyResponseInput as _jvs_agent_v1_VerifyResponseInput, VerifyResponse as _jvs_agent_v1_VerifyResponse } from '../../../jvs/agent/v1/VerifyResponse.ts';
import type { WatchEventsRequestInput as _jvs_agent_v1_WatchEventsRequestInput, WatchEventsRequest as _jvs_agent_v1_WatchEventsRequest } from '../../../jvs/agent/v1/WatchEventsRequest.ts';
import type { WorktreeInput as _jvs_agent_v1_WorktreeInput, Worktree as _jvs_agent_v1_Worktree } from '../../../jvs/agent/v1/Worktree.ts';

export interface AgentClient extends grpc.Client {
  /**
   * Takes a snapshot of a worktree and returns it when it is durable.
   */
  CreateSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  CreateSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  /**
   * Takes a snapshot of a worktree and returns it when it is durable.
   */
  createSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  createSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  createSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  createSnapshot(argument: _jvs_agent_v1_CreateSnapshotRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  
  /**
   * What differs between two snapshots, or a snapshot and a worktree as it is now; in byte order of the
   * paths, those of directories as if they ended in a slash.
   */
  Diff(argument: _jvs_agent_v1_DiffRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_DiffEntry>;
  Diff(argument: _jvs_agent_v1_DiffRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_DiffEntry>;
  /**
   * What differs between two snapshots, or a snapshot and a worktree as it is now; in byte order of the
   * paths, those of directories as if they ended in a slash.
   */
  diff(argument: _jvs_agent_v1_DiffRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_DiffEntry>;
  diff(argument: _jvs_agent_v1_DiffRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_DiffEntry>;
  
  /**
   * Makes a worktree of a snapshot.
   */
  Fork(argument: _jvs_agent_v1_ForkRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  Fork(argument: _jvs_agent_v1_ForkRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  Fork(argument: _jvs_agent_v1_ForkRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  Fork(argument: _jvs_agent_v1_ForkRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  /**
   * Makes a worktree of a snapshot.
   */
  fork(argument: _jvs_agent_v1_ForkRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  fork(argument: _jvs_agent_v1_ForkRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  fork(argument: _jvs_agent_v1_ForkRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  fork(argument: _jvs_agent_v1_ForkRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Worktree>): grpc.ClientUnaryCall;
  
  GetSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  GetSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  getSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  getSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  getSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  getSnapshot(argument: _jvs_agent_v1_GetSnapshotRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Snapshot>): grpc.ClientUnaryCall;
  
  /**
   * What this agent is, what it serves, and whether it is connected to the operator.
   */
  GetStatus(argument: _jvs_agent_v1_GetStatusRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  GetStatus(argument: _jvs_agent_v1_GetStatusRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  GetStatus(argument: _jvs_agent_v1_GetStatusRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  GetStatus(argument: _jvs_agent_v1_GetStatusRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  /**
   * What this agent is, what it serves, and whether it is connected to the operator.
   */
  getStatus(argument: _jvs_agent_v1_GetStatusRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  getStatus(argument: _jvs_agent_v1_GetStatusRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  getStatus(argument: _jvs_agent_v1_GetStatusRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  getStatus(argument: _jvs_agent_v1_GetStatusRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_Status>): grpc.ClientUnaryCall;
  
  /**
   * Snapshots on the volume, newest first.
   */
  ListSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  ListSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  /**
   * Snapshots on the volume, newest first.
   */
  listSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  listSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  listSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  listSnapshots(argument: _jvs_agent_v1_ListSnapshotsRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_ListSnapshotsResponse>): grpc.ClientUnaryCall;
  
  /**
   * What retention would do now, with a reason for every snapshot. Deletes nothing.
   */
  PlanRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  PlanRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  PlanRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  PlanRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  /**
   * What retention would do now, with a reason for every snapshot. Deletes nothing.
   */
  planRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  planRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  planRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  planRetention(argument: _jvs_agent_v1_PlanRetentionRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_PlanRetentionResponse>): grpc.ClientUnaryCall;
  
  /**
   * Brings a worktree back to a snapshot, in place: open shells and mounts see the restored tree. A snapshot is taken
   * before it, so that it can be undone.
   */
  Restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  Restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  Restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  Restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  /**
   * Brings a worktree back to a snapshot, in place: open shells and mounts see the restored tree. A snapshot is taken
   * before it, so that it can be undone.
   */
  restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  restore(argument: _jvs_agent_v1_RestoreInPlaceRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_RestoreInPlaceResponse>): grpc.ClientUnaryCall;
  
  /**
   * Reads a snapshot's files again and compares them with its recorded hash.
   */
  Verify(argument: _jvs_agent_v1_VerifyRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  Verify(argument: _jvs_agent_v1_VerifyRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  Verify(argument: _jvs_agent_v1_VerifyRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  Verify(argument: _jvs_agent_v1_VerifyRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  /**
   * Reads a snapshot's files again and compares them with its recorded hash.
   */
  verify(argument: _jvs_agent_v1_VerifyRequestInput, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  verify(argument: _jvs_agent_v1_VerifyRequestInput, metadata: grpc.Metadata, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  verify(argument: _jvs_agent_v1_VerifyRequestInput, options: grpc.CallOptions, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  verify(argument: _jvs_agent_v1_VerifyRequestInput, callback: grpc.requestCallback<_jvs_agent_v1_VerifyResponse>): grpc.ClientUnaryCall;
  
  /**
   * What happens from now on, until the caller hangs up.
   */
  WatchEvents(argument: _jvs_agent_v1_WatchEventsRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_Event>;
  WatchEvents(argument: _jvs_agent_v1_WatchEventsRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_Event>;
  /**
   * What happens from now on, until the caller hangs up.
   */
  watchEvents(argument: _jvs_agent_v1_WatchEventsRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_Event>;
  watchEvents(argument: _jvs_agent_v1_WatchEventsRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_agent_v1_Event>;
  
}

export interface AgentHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Takes a snapshot of a worktree and returns it when it is durable.
   */
  CreateSnapshot: grpc.handleUnaryCall<_jvs_agent_v1_CreateSnapshotRequest, _jvs_agent_v1_SnapshotInput>;
  
  /**
   * What differs between two snapshots, or a snapshot and a worktree as it is now; in byte order of the
   * paths, those of directories as if they ended in a slash.
   */
  Diff: grpc.handleServerStreamingCall<_jvs_agent_v1_DiffRequest, _jvs_agent_v1_DiffEntryInput>;
  
  /**
   * Makes a worktree of a snapshot.
   */
  Fork: grpc.handleUnaryCall<_jvs_agent_v1_ForkRequest, _jvs_agent_v1_WorktreeInput>;
  
  GetSnapshot: grpc.handleUnaryCall<_jvs_agent_v1_GetSnapshotRequest, _jvs_agent_v1_SnapshotInput>;
  
  /**
   * What this agent is, what it serves, and whether it is connected to the operator.
   */
  GetStatus: grpc.handleUnaryCall<_jvs_agent_v1_GetStatusRequest, _jvs_agent_v1_StatusInput>;
  
  /**
   * Snapshots on the volume, newest first.
   */
  ListSnapshots: grpc.handleUnaryCall<_jvs_agent_v1_ListSnapshotsRequest, _jvs_agent_v1_ListSnapshotsResponseInput>;
  
  /**
   * What retention would do now, with a reason for every snapshot. Deletes nothing.
   */
  PlanRetention: grpc.handleUnaryCall<_jvs_agent_v1_PlanRetentionRequest, _jvs_agent_v1_PlanRetentionResponseInput>;
  
  /**
   * Brings a worktree back to a snapshot, in place: open shells and mounts see the restored tree. A snapshot is taken
   * before it, so that it can be undone.
   */
  Restore: grpc.handleUnaryCall<_jvs_agent_v1_RestoreInPlaceRequest, _jvs_agent_v1_RestoreInPlaceResponseInput>;
  
  /**
   * Reads a snapshot's files again and compares them with its recorded hash.
   */
  Verify: grpc.handleUnaryCall<_jvs_agent_v1_VerifyRequest, _jvs_agent_v1_VerifyResponseInput>;
  
  /**
   * What happens from now on, until the caller hangs up.
   */
  WatchEvents: grpc.handleServerStreamingCall<_jvs_agent_v1_WatchEventsRequest, _jvs_agent_v1_EventInput>;
  
}

export interface AgentDefinition extends grpc.ServiceDefinition {
  CreateSnapshot: MethodDefinition<_jvs_agent_v1_CreateSnapshotRequestInput, _jvs_agent_v1_SnapshotInput, _jvs_agent_v1_CreateSnapshotRequest, _jvs_agent_v1_Snapshot>
  Diff: MethodDefinition<_jvs_agent_v1_DiffRequestInput, _jvs_agent_v1_DiffEntryInput, _jvs_agent_v1_DiffRequest, _jvs_agent_v1_DiffEntry>
  Fork: MethodDefinition<_jvs_agent_v1_ForkRequestInput, _jvs_agent_v1_WorktreeInput, _jvs_agent_v1_ForkRequest, _jvs_agent_v1_Worktree>
  GetSnapshot: MethodDefinition<_jvs_agent_v1_GetSnapshotRequestInput, _jvs_agent_v1_SnapshotInput, _jvs_agent_v1_GetSnapshotRequest, _jvs_agent_v1_Snapshot>
  GetStatus: MethodDefinition<_jvs_agent_v1_GetStatusRequestInput, _jvs_agent_v1_StatusInput, _jvs_agent_v1_GetStatusRequest, _jvs_agent_v1_Status>
  ListSnapshots: MethodDefinition<_jvs_agent_v1_ListSnapshotsRequestInput, _jvs_agent_v1_ListSnapshotsResponseInput, _jvs_agent_v1_ListSnapshotsRequest, _jvs_agent_v1_ListSnapshotsResponse>
  PlanRetention: MethodDefinition<_jvs_agent_v1_PlanRetentionRequestInput, _jvs_agent_v1_PlanRetentionResponseInput, _jvs_agent_v1_PlanRetentionRequest, _jvs_agent_v1_PlanRetentionResponse>
  Restore: MethodDefinition<_jvs_agent_v1_RestoreInPlaceRequestInput, _jvs_agent_v1_RestoreInPlaceResponseInput, _jvs_agent_v1_RestoreInPlaceRequest, _jvs_agent_v1_RestoreInPlaceResponse>
  Verify: MethodDefinition<_jvs_agent_v1_VerifyRequestInput, _jvs_agent_v1_VerifyResponseInput, _jvs_agent_v1_VerifyRequest, _jvs_agent_v1_VerifyResponse>
  WatchEvents: MethodDefinition<_jvs_agent_v1_WatchEventsRequestInput, _jvs_agent_v1_EventInput, _jvs_agent_v1_WatchEventsRequest, _jvs_agent_v1_Event>
}
