// Original file: proto/grpc/reflection/v1/reflection.proto


export interface FileDescriptorResponseInput {
  /**
   * the file asked for, then all that it imports
   */
  'fileDescriptorProto'?: (Buffer | Uint8Array | string)[];
}

export interface FileDescriptorResponse {
  /**
   * the file asked for, then all that it imports
   */
  'fileDescriptorProto': (Buffer)[];
}
