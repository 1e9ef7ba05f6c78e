// Original file: proto/jvs/transfer/v1/transfer.proto


export interface AttributeInput {
  'name'?: (string);
  'value'?: (Buffer | Uint8Array | string);
}

export interface Attribute {
  'name': (string);
  'value': (Buffer);
}
