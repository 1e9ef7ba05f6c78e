import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { ErrorResponseInput as _grpc_reflection_v1_ErrorResponseInput, ErrorResponse as _grpc_reflection_v1_ErrorResponse } from './grpc/reflection/v1/ErrorResponse.ts';
import type { ExtensionNumberResponseInput as _grpc_reflection_v1_ExtensionNumberResponseInput, ExtensionNumberResponse as _grpc_reflection_v1_ExtensionNumberResponse } from './grpc/reflection/v1/ExtensionNumberResponse.ts';
import type { ExtensionRequestInput as _grpc_reflection_v1_ExtensionRequestInput, ExtensionRequest as _grpc_reflection_v1_ExtensionRequest } from './grpc/reflection/v1/ExtensionRequest.ts';
import type { FileDescriptorResponseInput as _grpc_reflection_v1_FileDescriptorResponseInput, FileDescriptorResponse as _grpc_reflection_v1_FileDescriptorResponse } from './grpc/reflection/v1/FileDescriptorResponse.ts';
import type { ListServiceResponseInput as _grpc_reflection_v1_ListServiceResponseInput, ListServiceResponse as _grpc_reflection_v1_ListServiceResponse } from './grpc/reflection/v1/ListServiceResponse.ts';
import type { ServerReflectionClient as _grpc_reflection_v1_ServerReflectionClient, ServerReflectionDefinition as _grpc_reflection_v1_ServerReflectionDefinition } from './grpc/reflection/v1/ServerReflection.ts';
import type { ServerReflectionRequestInput as _grpc_reflection_v1_ServerReflectionRequestInput, ServerReflectionRequest as _grpc_reflection_v1_ServerReflectionRequest } from './grpc/reflection/v1/ServerReflectionRequest.ts';
import type { ServerReflectionResponseInput as _grpc_reflection_v1_ServerReflectionResponseInput, ServerReflectionResponse as _grpc_reflection_v1_ServerReflectionResponse } from './grpc/reflection/v1/ServerReflectionResponse.ts';
import type { ServiceResponseInput as _grpc_reflection_v1_ServiceResponseInput, ServiceResponse as _grpc_reflection_v1_ServiceResponse } from './grpc/reflection/v1/ServiceResponse.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  grpc: {
    reflection: {
      v1: {
        ErrorResponse: MessageTypeDefinition<_grpc_reflection_v1_ErrorResponseInput, _grpc_reflection_v1_ErrorResponse>
        ExtensionNumberResponse: MessageTypeDefinition<_grpc_reflection_v1_ExtensionNumberResponseInput, _grpc_reflection_v1_ExtensionNumberResponse>
        ExtensionRequest: MessageTypeDefinition<_grpc_reflection_v1_ExtensionRequestInput, _grpc_reflection_v1_ExtensionRequest>
        FileDescriptorResponse: MessageTypeDefinition<_grpc_reflection_v1_FileDescriptorResponseInput, _grpc_reflection_v1_FileDescriptorResponse>
        ListServiceResponse: MessageTypeDefinition<_grpc_reflection_v1_ListServiceResponseInput, _grpc_reflection_v1_ListServiceResponse>
        ServerReflection: SubtypeConstructor<typeof grpc.Client, _grpc_reflection_v1_ServerReflectionClient> & { service: _grpc_reflection_v1_ServerReflectionDefinition }
        ServerReflectionRequest: MessageTypeDefinition<_grpc_reflection_v1_ServerReflectionRequestInput, _grpc_reflection_v1_ServerReflectionRequest>
        ServerReflectionResponse: MessageTypeDefinition<_grpc_reflection_v1_ServerReflectionResponseInput, _grpc_reflection_v1_ServerReflectionResponse>
        ServiceResponse: MessageTypeDefinition<_grpc_reflection_v1_ServiceResponseInput, _grpc_reflection_v1_ServiceResponse>
      }
    }
  }
}

