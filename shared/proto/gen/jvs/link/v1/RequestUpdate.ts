// Original file: proto/jvs/link/v1/link.proto

import type { Long } from '@grpc/proto-loader';

// Original file: proto/jvs/link/v1/link.proto

export const _jvs_link_v1_RequestUpdate_Phase = {
  PHASE_UNSPECIFIED: 'PHASE_UNSPECIFIED',
  PHASE_IN_PROGRESS: 'PHASE_IN_PROGRESS',
  /**
   * for good: the request as it stands can not succeed
   */
  PHASE_FAILED: 'PHASE_FAILED',
  /**
   * not now, and why; the agent tries again by itself
   */
  PHASE_WAITING: 'PHASE_WAITING',
} as const;

export type _jvs_link_v1_RequestUpdate_PhaseInput =
  | 'PHASE_UNSPECIFIED'
  | 0
  | 'PHASE_IN_PROGRESS'
  | 1
  /**
   * for good: the request as it stands can not succeed
   */
  | 'PHASE_FAILED'
  | 2
  /**
   * not now, and why; the agent tries again by itself
   */
  | 'PHASE_WAITING'
  | 3

export type _jvs_link_v1_RequestUpdate_Phase = typeof _jvs_link_v1_RequestUpdate_Phase[keyof typeof _jvs_link_v1_RequestUpdate_Phase]

export interface RequestUpdateInput {
  /**
   * of the Snapshot resource
   */
  'uid'?: (string);
  'phase'?: (_jvs_link_v1_RequestUpdate_PhaseInput);
  /**
   * CamelCase, for a condition
   */
  'reason'?: (string);
  /**
   * a sentence that says what to do
   */
  'message'?: (string);
  'bytesDone'?: (number | string | Long);
  'bytesTotal'?: (number | string | Long);
}

export interface RequestUpdate {
  /**
   * of the Snapshot resource
   */
  'uid': (string);
  'phase': (_jvs_link_v1_RequestUpdate_Phase);
  /**
   * CamelCase, for a condition
   */
  'reason': (string);
  /**
   * a sentence that says what to do
   */
  'message': (string);
  'bytesDone': (number);
  'bytesTotal': (number);
}
