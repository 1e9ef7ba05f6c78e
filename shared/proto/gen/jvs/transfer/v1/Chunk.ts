// Original file: proto/jvs/transfer/v1/transfer.proto

import type { ItemInput as _jvs_transfer_v1_ItemInput, Item as _jvs_transfer_v1_Item } from '../../../jvs/transfer/v1/Item.ts';
import type { Long } from '@grpc/proto-loader';

export interface ChunkInput {
  /**
   * of the first chunk only: as on the disk of the source, JSON
   */
  'descriptor'?: (string);
  /**
   * in the order of the walk
   */
  'items'?: (_jvs_transfer_v1_ItemInput)[];
  /**
   * nothing follows; a stream that ends without it is not whole
   */
  'last'?: (boolean);
  /**
   * of the first chunk only: what the snapshot's files take
   */
  'storedBytes'?: (number | string | Long);
}

export interface Chunk {
  /**
   * of the first chunk only: as on the disk of the source, JSON
   */
  'descriptor': (string);
  /**
   * in the order of the walk
   */
  'items': (_jvs_transfer_v1_Item)[];
  /**
   * nothing follows; a stream that ends without it is not whole
   */
  'last': (boolean);
  /**
   * of the first chunk only: what the snapshot's files take
   */
  'storedBytes': (number);
}
