// Original file: proto/jvs/transfer/v1/transfer.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ChunkInput as _jvs_transfer_v1_ChunkInput, Chunk as _jvs_transfer_v1_Chunk } from '../../../jvs/transfer/v1/Chunk.ts';
import type { FetchRequestInput as _jvs_transfer_v1_FetchRequestInput, FetchRequest as _jvs_transfer_v1_FetchRequest } from '../../../jvs/transfer/v1/FetchRequest.ts';

export interface TransferClient extends grpc.Client {
  /**
   * Fails with PERMISSION_DENIED where the token is not for this snapshot.
   */
  Fetch(argument: _jvs_transfer_v1_FetchRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_transfer_v1_Chunk>;
  Fetch(argument: _jvs_transfer_v1_FetchRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_transfer_v1_Chunk>;
  /**
   * Fails with PERMISSION_DENIED where the token is not for this snapshot.
   */
  fetch(argument: _jvs_transfer_v1_FetchRequestInput, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_transfer_v1_Chunk>;
  fetch(argument: _jvs_transfer_v1_FetchRequestInput, options?: grpc.CallOptions): grpc.ClientReadableStream<_jvs_transfer_v1_Chunk>;
  
}

export interface TransferHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Fails with PERMISSION_DENIED where the token is not for this snapshot.
   */
  Fetch: grpc.handleServerStreamingCall<_jvs_transfer_v1_FetchRequest, _jvs_transfer_v1_ChunkInput>;
  
}

export interface TransferDefinition extends grpc.ServiceDefinition {
  Fetch: MethodDefinition<_jvs_transfer_v1_FetchRequestInput, _jvs_transfer_v1_ChunkInput, _jvs_transfer_v1_FetchRequest, _jvs_transfer_v1_Chunk>
}
