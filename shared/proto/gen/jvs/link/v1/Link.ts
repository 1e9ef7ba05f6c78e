// Original file: proto/jvs/link/v1/link.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AgentMessageInput as _jvs_link_v1_AgentMessageInput, AgentMessage as _jvs_link_v1_AgentMessage } from '../../../jvs/link/v1/AgentMessage.ts';
import type { OperatorMessageInput as _jvs_link_v1_OperatorMessageInput, OperatorMessage as _jvs_link_v1_OperatorMessage } from '../../../jvs/link/v1/OperatorMessage.ts';

export interface LinkClient extends grpc.Client {
  Connect(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_OperatorMessage>;
  Connect(options?: grpc.CallOptions): grpc.ClientDuplexStream<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_OperatorMessage>;
  connect(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_OperatorMessage>;
  connect(options?: grpc.CallOptions): grpc.ClientDuplexStream<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_OperatorMessage>;
  
}

export interface LinkHandlers extends grpc.UntypedServiceImplementation {
  Connect: grpc.handleBidiStreamingCall<_jvs_link_v1_AgentMessage, _jvs_link_v1_OperatorMessageInput>;
  
}

export interface LinkDefinition extends grpc.ServiceDefinition {
  Connect: MethodDefinition<_jvs_link_v1_AgentMessageInput, _jvs_link_v1_OperatorMessageInput, _jvs_link_v1_AgentMessage, _jvs_link_v1_OperatorMessage>
}
