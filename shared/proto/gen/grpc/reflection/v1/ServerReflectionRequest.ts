// Original file: proto/grpc/reflection/v1/reflection.proto

import type { ExtensionRequestInput as _grpc_reflection_v1_ExtensionRequestInput, ExtensionRequest as _grpc_reflection_v1_ExtensionRequest } from '../../../grpc/reflection/v1/ExtensionRequest.ts';

export interface ServerReflectionRequestInput {
  'host'?: (string);
  'fileByFilename'?: (string);
  /**
   * full name of a service, method or type
   */
  'fileContainingSymbol'?: (string);
  'fileContainingExtension'?: (_grpc_reflection_v1_ExtensionRequestInput | null);
  'allExtensionNumbersOfType'?: (string);
  'listServices'?: (string);
  'messageRequest'?: "fileByFilename"|"fileContainingSymbol"|"fileContainingExtension"|"allExtensionNumbersOfType"|"listServices";
}

export interface ServerReflectionRequest {
  'host': (string);
  'fileByFilename'?: (string);
  /**
   * full name of a service, method or type
   */
  'fileContainingSymbol'?: (string);
  'fileContainingExtension'?: (_grpc_reflection_v1_ExtensionRequest | null);
  'allExtensionNumbersOfType'?: (string);
  'listServices'?: (string);
  'messageRequest'?: "fileByFilename"|"fileContainingSymbol"|"fileContainingExtension"|"allExtensionNumbersOfType"|"listServices";
}
