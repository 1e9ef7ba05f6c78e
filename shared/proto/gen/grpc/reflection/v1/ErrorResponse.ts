// Original file: proto/grpc/reflection/v1/reflection.proto


export interface ErrorResponseInput {
  /**
   * a code of grpc.Status
   */
  'errorCode'?: (number);
  'errorMessage'?: (string);
}

export interface ErrorResponse {
  /**
   * a code of grpc.Status
   */
  'errorCode': (number);
  'errorMessage': (string);
}
