// Original file: proto/jvs/agent/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface UsageInput {
  /**
   * of the volume's filesystem
   */
  'usedBytes'?: (number | string | Long);
  /**
   * of the volume's filesystem
   */
  'capacityBytes'?: (number | string | Long);
}

export interface Usage {
  /**
   * of the volume's filesystem
   */
  'usedBytes': (number);
  /**
   * of the volume's filesystem
   */
  'capacityBytes': (number);
}
