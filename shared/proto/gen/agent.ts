import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from './google/protobuf/Timestamp.ts';
import type { AgentClient as _jvs_agent_v1_AgentClient, AgentDefinition as _jvs_agent_v1_AgentDefinition } from './jvs/agent/v1/Agent.ts';
import type { CreateSnapshotRequestInput as _jvs_agent_v1_CreateSnapshotRequestInput, CreateSnapshotRequest as _jvs_agent_v1_CreateSnapshotRequest } from './jvs/agent/v1/CreateSnapshotRequest.ts';
import type { DiffEntryInput as _jvs_agent_v1_DiffEntryInput, DiffEntry as _jvs_agent_v1_DiffEntry } from './jvs/agent/v1/DiffEntry.ts';
import type { DiffRequestInput as _jvs_agent_v1_DiffRequestInput, DiffRequest as _jvs_agent_v1_DiffRequest } from './jvs/agent/v1/DiffRequest.ts';
import type { EventInput as _jvs_agent_v1_EventInput, Event as _jvs_agent_v1_Event } from './jvs/agent/v1/Event.ts';
import type { FailureInput as _jvs_agent_v1_FailureInput, Failure as _jvs_agent_v1_Failure } from './jvs/agent/v1/Failure.ts';
import type { ForkRequestInput as _jvs_agent_v1_ForkRequestInput, ForkRequest as _jvs_agent_v1_ForkRequest } from './jvs/agent/v1/ForkRequest.ts';
import type { GetSnapshotRequestInput as _jvs_agent_v1_GetSnapshotRequestInput, GetSnapshotRequest as _jvs_agent_v1_GetSnapshotRequest } from './jvs/agent/v1/GetSnapshotRequest.ts';
import type { GetStatusRequestInput as _jvs_agent_v1_GetStatusRequestInput, GetStatusRequest as _jvs_agent_v1_GetStatusRequest } from './jvs/agent/v1/GetStatusRequest.ts';
import type { LinkChangeInput as _jvs_agent_v1_LinkChangeInput, LinkChange as _jvs_agent_v1_LinkChange } from './jvs/agent/v1/LinkChange.ts';
import type { ListSnapshotsRequestInput as _jvs_agent_v1_ListSnapshotsRequestInput, ListSnapshotsRequest as _jvs_agent_v1_ListSnapshotsRequest } from './jvs/agent/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponseInput as _jvs_agent_v1_ListSnapshotsResponseInput, ListSnapshotsResponse as _jvs_agent_v1_ListSnapshotsResponse } from './jvs/agent/v1/ListSnapshotsResponse.ts';
import type { PlanRetentionRequestInput as _jvs_agent_v1_PlanRetentionRequestInput, PlanRetentionRequest as _jvs_agent_v1_PlanRetentionRequest } from './jvs/agent/v1/PlanRetentionRequest.ts';
import type { PlanRetentionResponseInput as _jvs_agent_v1_PlanRetentionResponseInput, PlanRetentionResponse as _jvs_agent_v1_PlanRetentionResponse } from './jvs/agent/v1/PlanRetentionResponse.ts';
import type { ProgressInput as _jvs_agent_v1_ProgressInput, Progress as _jvs_agent_v1_Progress } from './jvs/agent/v1/Progress.ts';
import type { RestoreInPlaceRequestInput as _jvs_agent_v1_RestoreInPlaceRequestInput, RestoreInPlaceRequest as _jvs_agent_v1_RestoreInPlaceRequest } from './jvs/agent/v1/RestoreInPlaceRequest.ts';
import type { RestoreInPlaceResponseInput as _jvs_agent_v1_RestoreInPlaceResponseInput, RestoreInPlaceResponse as _jvs_agent_v1_RestoreInPlaceResponse } from './jvs/agent/v1/RestoreInPlaceResponse.ts';
import type { RetentionDecisionInput as _jvs_agent_v1_RetentionDecisionInput, RetentionDecision as _jvs_agent_v1_RetentionDecision } from './jvs/agent/v1/RetentionDecision.ts';
import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from './jvs/agent/v1/Snapshot.ts';
import type { StatusInput as _jvs_agent_v1_StatusInput, Status as _jvs_agent_v1_Status } from './jvs/agent/v1/Status.ts';
import type { UsageInput as _jvs_agent_v1_UsageInput, Usage as _jvs_agent_v1_Usage } from './jvs/agent/v1/Usage.ts';
import type { VerifyRequestInput as _jvs_agent_v1_VerifyRequestInput, VerifyRequest as _jvs_agent_v1_VerifyRequest } from './jvs/agent/v1/VerifyRequest.ts';
import type { VerifyResponseInput as _jvs_agent_v1_VerifyResponseInput, VerifyResponse as _jvs_agent_v1_VerifyResponse } from './jvs/agent/v1/VerifyResponse.ts';
import type { WatchEventsRequestInput as _jvs_agent_v1_WatchEventsRequestInput, WatchEventsRequest as _jvs_agent_v1_WatchEventsRequest } from './jvs/agent/v1/WatchEventsRequest.ts';
import type { WorktreeInput as _jvs_agent_v1_WorktreeInput, Worktree as _jvs_agent_v1_Worktree } from './jvs/agent/v1/Worktree.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Timestamp: MessageTypeDefinition<_google_protobuf_TimestampInput, _google_protobuf_Timestamp>
    }
  }
  jvs: {
    agent: {
      v1: {
        Agent: SubtypeConstructor<typeof grpc.Client, _jvs_agent_v1_AgentClient> & { service: _jvs_agent_v1_AgentDefinition }
        Consistency: EnumTypeDefinition
        CreateSnapshotRequest: MessageTypeDefinition<_jvs_agent_v1_CreateSnapshotRequestInput, _jvs_agent_v1_CreateSnapshotRequest>
        DiffEntry: MessageTypeDefinition<_jvs_agent_v1_DiffEntryInput, _jvs_agent_v1_DiffEntry>
        DiffRequest: MessageTypeDefinition<_jvs_agent_v1_DiffRequestInput, _jvs_agent_v1_DiffRequest>
        Event: MessageTypeDefinition<_jvs_agent_v1_EventInput, _jvs_agent_v1_Event>
        Failure: MessageTypeDefinition<_jvs_agent_v1_FailureInput, _jvs_agent_v1_Failure>
        ForkRequest: MessageTypeDefinition<_jvs_agent_v1_ForkRequestInput, _jvs_agent_v1_ForkRequest>
        GetSnapshotRequest: MessageTypeDefinition<_jvs_agent_v1_GetSnapshotRequestInput, _jvs_agent_v1_GetSnapshotRequest>
        GetStatusRequest: MessageTypeDefinition<_jvs_agent_v1_GetStatusRequestInput, _jvs_agent_v1_GetStatusRequest>
        Integrity: EnumTypeDefinition
        LinkChange: MessageTypeDefinition<_jvs_agent_v1_LinkChangeInput, _jvs_agent_v1_LinkChange>
        ListSnapshotsRequest: MessageTypeDefinition<_jvs_agent_v1_ListSnapshotsRequestInput, _jvs_agent_v1_ListSnapshotsRequest>
        ListSnapshotsResponse: MessageTypeDefinition<_jvs_agent_v1_ListSnapshotsResponseInput, _jvs_agent_v1_ListSnapshotsResponse>
        PlanRetentionRequest: MessageTypeDefinition<_jvs_agent_v1_PlanRetentionRequestInput, _jvs_agent_v1_PlanRetentionRequest>
        PlanRetentionResponse: MessageTypeDefinition<_jvs_agent_v1_PlanRetentionResponseInput, _jvs_agent_v1_PlanRetentionResponse>
        Progress: MessageTypeDefinition<_jvs_agent_v1_ProgressInput, _jvs_agent_v1_Progress>
        RestoreInPlaceRequest: MessageTypeDefinition<_jvs_agent_v1_RestoreInPlaceRequestInput, _jvs_agent_v1_RestoreInPlaceRequest>
        RestoreInPlaceResponse: MessageTypeDefinition<_jvs_agent_v1_RestoreInPlaceResponseInput, _jvs_agent_v1_RestoreInPlaceResponse>
        RetentionDecision: MessageTypeDefinition<_jvs_agent_v1_RetentionDecisionInput, _jvs_agent_v1_RetentionDecision>
        Role: EnumTypeDefinition
        Snapshot: MessageTypeDefinition<_jvs_agent_v1_SnapshotInput, _jvs_agent_v1_Snapshot>
        Status: MessageTypeDefinition<_jvs_agent_v1_StatusInput, _jvs_agent_v1_Status>
        Usage: MessageTypeDefinition<_jvs_agent_v1_UsageInput, _jvs_agent_v1_Usage>
        VerifyRequest: MessageTypeDefinition<_jvs_agent_v1_VerifyRequestInput, _jvs_agent_v1_VerifyRequest>
        VerifyResponse: MessageTypeDefinition<_jvs_agent_v1_VerifyResponseInput, _jvs_agent_v1_VerifyResponse>
        WatchEventsRequest: MessageTypeDefinition<_jvs_agent_v1_WatchEventsRequestInput, _jvs_agent_v1_WatchEventsRequest>
        Worktree: MessageTypeDefinition<_jvs_agent_v1_WorktreeInput, _jvs_agent_v1_Worktree>
      }
    }
  }
}

