// Original file: proto/grpc/reflection/v1/reflection.proto


export interface ExtensionRequestInput {
  'containingType'?: (string);
  'extensionNumber'?: (number);
}

export interface ExtensionRequest {
  'containingType': (string);
  'extensionNumber': (number);
}
