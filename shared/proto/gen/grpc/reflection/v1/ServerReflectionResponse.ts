// Original file: proto/grpc/reflection/v1/reflection.proto

import type { ServerReflectionRequestInput as _grpc_reflection_v1_ServerReflectionRequestInput, ServerReflectionRequest as _grpc_reflection_v1_ServerReflectionRequest } from '../../../grpc/reflection/v1/ServerReflectionRequest.ts';
import type { FileDescriptorResponseInput as _grpc_reflection_v1_FileDescriptorResponseInput, FileDescriptorResponse as _grpc_reflection_v1_FileDescriptorResponse } from '../../../grpc/reflection/v1/FileDescriptorResponse.ts';
import type { ExtensionNumberResponseInput as _grpc_reflection_v1_ExtensionNumberResponseInput, ExtensionNumberResponse as _grpc_reflection_v1_ExtensionNumberResponse } from '../../../grpc/reflection/v1/ExtensionNumberResponse.ts';
import type { ListServiceResponseInput as _grpc_reflection_v1_ListServiceResponseInput, ListServiceResponse as _grpc_reflection_v1_ListServiceResponse } from '../../../grpc/reflection/v1/ListServiceResponse.ts';
import type { ErrorResponseInput as _grpc_reflection_v1_ErrorResponseInput, ErrorResponse as _grpc_reflection_v1_ErrorResponse } from '../../../grpc/reflection/v1/ErrorResponse.ts';

export interface ServerReflectionResponseInput {
  'validHost'?: (string);
  'originalRequest'?: (_grpc_reflection_v1_ServerReflectionRequestInput | null);
  'fileDescriptorResponse'?: (_grpc_reflection_v1_FileDescriptorResponseInput | null);
  'allExtensionNumbersResponse'?: (_grpc_reflection_v1_ExtensionNumberResponseInput | null);
  'listServicesResponse'?: (_grpc_reflection_v1_ListServiceResponseInput | null);
  'errorResponse'?: (_grpc_reflection_v1_ErrorResponseInput | null);
  'messageResponse'?: "fileDescriptorResponse"|"allExtensionNumbersResponse"|"listServicesResponse"|"errorResponse";
}

export interface ServerReflectionResponse {
  'validHost': (string);
  'originalRequest': (_grpc_reflection_v1_ServerReflectionRequest | null);
  'fileDescriptorResponse'?: (_grpc_reflection_v1_FileDescriptorResponse | null);
  'allExtensionNumbersResponse'?: (_grpc_reflection_v1_ExtensionNumberResponse | null);
  'listServicesResponse'?: (_grpc_reflection_v1_ListServiceResponse | null);
  'errorResponse'?: (_grpc_reflection_v1_ErrorResponse | null);
  'messageResponse'?: "fileDescriptorResponse"|"allExtensionNumbersResponse"|"listServicesResponse"|"errorResponse";
}
