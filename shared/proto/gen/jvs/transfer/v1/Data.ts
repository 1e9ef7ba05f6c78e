// Original file: proto/jvs/transfer/v1/transfer.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What lies between two of them is zeros.
 */
export interface DataInput {
  'offset'?: (number | string | Long);
  'bytes'?: (Buffer | Uint8Array | string);
}

/**
 * What lies between two of them is zeros.
 */
export interface Data {
  'offset': (number);
  'bytes': (Buffer);
}
