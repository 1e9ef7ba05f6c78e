// Original file: proto/grpc/reflection/v1/reflection.proto

import type { ServiceResponseInput as _grpc_reflection_v1_ServiceResponseInput, ServiceResponse as _grpc_reflection_v1_ServiceResponse } from '../../../grpc/reflection/v1/ServiceResponse.ts';

export interface ListServiceResponseInput {
  'service'?: (_grpc_reflection_v1_ServiceResponseInput)[];
}

export interface ListServiceResponse {
  'service': (_grpc_reflection_v1_ServiceResponse)[];
}
