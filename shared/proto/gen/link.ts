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
import type { AgentMessageInput as _jvs_link_v1_AgentMessageInput, AgentMessage as _jvs_link_v1_AgentMessage } from './jvs/link/v1/AgentMessage.ts';
import type { AgentStatusInput as _jvs_link_v1_AgentStatusInput, AgentStatus as _jvs_link_v1_AgentStatus } from './jvs/link/v1/AgentStatus.ts';
import type { CompressionInput as _jvs_link_v1_CompressionInput, Compression as _jvs_link_v1_Compression } from './jvs/link/v1/Compression.ts';
import type { DeletionInput as _jvs_link_v1_DeletionInput, Deletion as _jvs_link_v1_Deletion } from './jvs/link/v1/Deletion.ts';
import type { DesiredStateInput as _jvs_link_v1_DesiredStateInput, DesiredState as _jvs_link_v1_DesiredState } from './jvs/link/v1/DesiredState.ts';
import type { ExecHookInput as _jvs_link_v1_ExecHookInput, ExecHook as _jvs_link_v1_ExecHook } from './jvs/link/v1/ExecHook.ts';
import type { ExportInput as _jvs_link_v1_ExportInput, Export as _jvs_link_v1_Export } from './jvs/link/v1/Export.ts';
import type { HelloInput as _jvs_link_v1_HelloInput, Hello as _jvs_link_v1_Hello } from './jvs/link/v1/Hello.ts';
import type { HookInput as _jvs_link_v1_HookInput, Hook as _jvs_link_v1_Hook } from './jvs/link/v1/Hook.ts';
import type { HooksInput as _jvs_link_v1_HooksInput, Hooks as _jvs_link_v1_Hooks } from './jvs/link/v1/Hooks.ts';
import type { HttpHookInput as _jvs_link_v1_HttpHookInput, HttpHook as _jvs_link_v1_HttpHook } from './jvs/link/v1/HttpHook.ts';
import type { InitialInput as _jvs_link_v1_InitialInput, Initial as _jvs_link_v1_Initial } from './jvs/link/v1/Initial.ts';
import type { InventoryPageInput as _jvs_link_v1_InventoryPageInput, InventoryPage as _jvs_link_v1_InventoryPage } from './jvs/link/v1/InventoryPage.ts';
import type { LinkClient as _jvs_link_v1_LinkClient, LinkDefinition as _jvs_link_v1_LinkDefinition } from './jvs/link/v1/Link.ts';
import type { NoticeInput as _jvs_link_v1_NoticeInput, Notice as _jvs_link_v1_Notice } from './jvs/link/v1/Notice.ts';
import type { OperatorMessageInput as _jvs_link_v1_OperatorMessageInput, OperatorMessage as _jvs_link_v1_OperatorMessage } from './jvs/link/v1/OperatorMessage.ts';
import type { RequestUpdateInput as _jvs_link_v1_RequestUpdateInput, RequestUpdate as _jvs_link_v1_RequestUpdate } from './jvs/link/v1/RequestUpdate.ts';
import type { RestoreRequestInput as _jvs_link_v1_RestoreRequestInput, RestoreRequest as _jvs_link_v1_RestoreRequest } from './jvs/link/v1/RestoreRequest.ts';
import type { RetentionInput as _jvs_link_v1_RetentionInput, Retention as _jvs_link_v1_Retention } from './jvs/link/v1/Retention.ts';
import type { RetentionPolicyInput as _jvs_link_v1_RetentionPolicyInput, RetentionPolicy as _jvs_link_v1_RetentionPolicy } from './jvs/link/v1/RetentionPolicy.ts';
import type { ScheduleInput as _jvs_link_v1_ScheduleInput, Schedule as _jvs_link_v1_Schedule } from './jvs/link/v1/Schedule.ts';
import type { SnapshotRemovedInput as _jvs_link_v1_SnapshotRemovedInput, SnapshotRemoved as _jvs_link_v1_SnapshotRemoved } from './jvs/link/v1/SnapshotRemoved.ts';
import type { SnapshotRequestInput as _jvs_link_v1_SnapshotRequestInput, SnapshotRequest as _jvs_link_v1_SnapshotRequest } from './jvs/link/v1/SnapshotRequest.ts';
import type { WelcomeInput as _jvs_link_v1_WelcomeInput, Welcome as _jvs_link_v1_Welcome } from './jvs/link/v1/Welcome.ts';

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
    link: {
      v1: {
        AgentMessage: MessageTypeDefinition<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_AgentMessage>
        AgentStatus: MessageTypeDefinition<_jvs_link_v1_AgentStatusInput, _jvs_link_v1_AgentStatus>
        Compression: MessageTypeDefinition<_jvs_link_v1_CompressionInput, _jvs_link_v1_Compression>
        Deletion: MessageTypeDefinition<_jvs_link_v1_DeletionInput, _jvs_link_v1_Deletion>
        DesiredState: MessageTypeDefinition<_jvs_link_v1_DesiredStateInput, _jvs_link_v1_DesiredState>
        ExecHook: MessageTypeDefinition<_jvs_link_v1_ExecHookInput, _jvs_link_v1_ExecHook>
        Export: MessageTypeDefinition<_jvs_link_v1_ExportInput, _jvs_link_v1_Export>
        Hello: MessageTypeDefinition<_jvs_link_v1_HelloInput, _jvs_link_v1_Hello>
        Hook: MessageTypeDefinition<_jvs_link_v1_HookInput, _jvs_link_v1_Hook>
        Hooks: MessageTypeDefinition<_jvs_link_v1_HooksInput, _jvs_link_v1_Hooks>
        HttpHook: MessageTypeDefinition<_jvs_link_v1_HttpHookInput, _jvs_link_v1_HttpHook>
        Initial: MessageTypeDefinition<_jvs_link_v1_InitialInput, _jvs_link_v1_Initial>
        InventoryPage: MessageTypeDefinition<_jvs_link_v1_InventoryPageInput, _jvs_link_v1_InventoryPage>
        Link: SubtypeConstructor<typeof grpc.Client, _jvs_link_v1_LinkClient> & { service: _jvs_link_v1_LinkDefinition }
        Notice: MessageTypeDefinition<_jvs_link_v1_NoticeInput, _jvs_link_v1_Notice>
        OperatorMessage: MessageTypeDefinition<_jvs_link_v1_OperatorMessageInput, _jvs_link_v1_OperatorMessage>
        RequestUpdate: MessageTypeDefinition<_jvs_link_v1_RequestUpdateInput, _jvs_link_v1_RequestUpdate>
        RestoreRequest: MessageTypeDefinition<_jvs_link_v1_RestoreRequestInput, _jvs_link_v1_RestoreRequest>
        Retention: MessageTypeDefinition<_jvs_link_v1_RetentionInput, _jvs_link_v1_Retention>
        RetentionPolicy: MessageTypeDefinition<_jvs_link_v1_RetentionPolicyInput, _jvs_link_v1_RetentionPolicy>
        Schedule: MessageTypeDefinition<_jvs_link_v1_ScheduleInput, _jvs_link_v1_Schedule>
        SnapshotRemoved: MessageTypeDefinition<_jvs_link_v1_SnapshotRemovedInput, _jvs_link_v1_SnapshotRemoved>
        SnapshotRequest: MessageTypeDefinition<_jvs_link_v1_SnapshotRequestInput, _jvs_link_v1_SnapshotRequest>
        Welcome: MessageTypeDefinition<_jvs_link_v1_WelcomeInput, _jvs_link_v1_Welcome>
      }
    }
  }
}

