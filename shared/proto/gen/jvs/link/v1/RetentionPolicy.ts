// Original file: proto/jvs/link/v1/link.proto

import type { Long } from '@grpc/proto-loader';

export interface RetentionPolicyInput {
  'keepMinSnapshots'?: (number);
  'keepMinAgeSeconds'?: (number | string | Long);
  'keepTags'?: (string)[];
}

export interface RetentionPolicy {
  'keepMinSnapshots': (number);
  'keepMinAgeSeconds': (number);
  'keepTags': (string)[];
}
