// Original file: proto/jvs/transfer/v1/transfer.proto

import type { Long } from '@grpc/proto-loader';

export interface FetchRequestInput {
  'snapshotId'?: (string);
  /**
   * What the caller has already is not sent again: the walk through a snapshot is the same every time.
   */
  'entry'?: (number | string | Long);
  /**
   * bytes of that entry's content to leave out
   */
  'offset'?: (number | string | Long);
}

export interface FetchRequest {
  'snapshotId': (string);
  /**
   * What the caller has already is not sent again: the walk through a snapshot is the same every time.
   */
  'entry': (number);
  /**
   * bytes of that entry's content to leave out
   */
  'offset': (number);
}
