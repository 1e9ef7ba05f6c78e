// Original file: proto/jvs/agent/v1/agent.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateSnapshotRequestInput as _jvs_agent_v1_CreateSnapshotRequestInput, CreateSnapshotRequest as _jvs_agent_v1_CreateSnapshotRequest } from '../../../jvs/agent/v1/CreateSnapshotRequest.ts';
import type { EventInput as _jvs_agent_v1_EventInput, Event as _jvs_agent_v1_Event } from '../../../jvs/agent/v1/Event.ts';
import type { GetSnapshotRequestInput as _jvs_agent_v1_GetSnapshotRequestInput, GetSnapshotRequest as _jvs_agent_v1_GetSnapshotRequest } from '../../../jvs/agent/v1/GetSnapshotRequest.ts';
import type { GetStatusRequestInput as _jvs_agent_v1_GetStatusRequestInput, GetStatusRequest as _jvs_agent_v1_GetStatusRequest } from '../../../jvs/agent/v1/GetStatusRequest.ts';
import type { ListSnapshotsRequestInput as _jvs_agent_v1_ListSnapshotsRequestInput, ListSnapshotsRequest as _jvs_agent_v1_ListSnapshotsRequest } from '../../../jvs/agent/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponseInput as _jvs_agent_v1_ListSnapshotsResponseInput, ListSnapshotsResponse as _jvs_agent_v1_ListSnapshotsResponse } from '../../../jvs/agent/v1/ListSnapshotsResponse.ts';
import type { PlanRetentionRequestInput as _jvs_agent_v1_PlanRetentionRequestInput, PlanRetentionRequest as _jvs_agent_v1_PlanRetentionRequest } from '../../../jvs/agent/v1/PlanRetentionRequest.ts';
import type { PlanRetentionResponseInput as _jvs_agent_v1_PlanRetentionResponseInput, PlanRetentionResponse as _jvs_agent_v1_PlanRetentionResponse } from '../../../jvs/agent/v1/PlanRetentionResponse.ts';
import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';
import type { StatusInput as _jvs_agent_v1_StatusInput, Status as _jvs_agent_v1_Status } from '../../../jvs/agent/v1/Status.ts';
import type { VerifyRequestInput as _jvs_agent_v1_VerifyRequestInput, VerifyRequest as _jvs_agent_v1_VerifyRequest } from '../../../jvs/agent/v1/VerifyRequest.ts';
import type { VerifyResponseInput as _jvs_agent_v1_VerifyResponseInput, VerifyResponse as _jvs_agent_v1_VerifyResponse } from '../../../jvs/agent/v1/VerifyResponse.ts';
import type { WatchEventsRequestInput as _jvs_agent_v1_WatchEventsRequestInput, WatchEventsRequest as _jvs_agent_v1_WatchEventsRequest } from '../../../jvs/agent/v1/WatchEventsRequest.ts';

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
  GetSnapshot: MethodDefinition<_jvs_agent_v1_GetSnapshotRequestInput, _jvs_agent_v1_SnapshotInput, _jvs_agent_v1_GetSnapshotRequest, _jvs_agent_v1_Snapshot>
  GetStatus: MethodDefinition<_jvs_agent_v1_GetStatusRequestInput, _jvs_agent_v1_StatusInput, _jvs_agent_v1_GetStatusRequest, _jvs_agent_v1_Status>
  ListSnapshots: MethodDefinition<_jvs_agent_v1_ListSnapshotsRequestInput, _jvs_agent_v1_ListSnapshotsResponseInput, _jvs_agent_v1_ListSnapshotsRequest, _jvs_agent_v1_ListSnapshotsResponse>
  PlanRetention: MethodDefinition<_jvs_agent_v1_PlanRetentionRequestInput, _jvs_agent_v1_PlanRetentionResponseInput, _jvs_agent_v1_PlanRetentionRequest, _jvs_agent_v1_PlanRetentionResponse>
  Verify: MethodDefinition<_jvs_agent_v1_VerifyRequestInput, _jvs_agent_v1_VerifyResponseInput, _jvs_agent_v1_VerifyRequest, _jvs_agent_v1_VerifyResponse>
  WatchEvents: MethodDefinition<_jvs_agent_v1_WatchEventsRequestInput, _jvs_agent_v1_EventInput, _jvs_agent_v1_WatchEventsRequest, _jvs_agent_v1_Event>
}
