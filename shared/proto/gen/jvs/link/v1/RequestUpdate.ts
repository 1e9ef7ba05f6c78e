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
  /**
   * of restores; of a snapshot and a deletion the inventory is the word
   */
  PHASE_DONE: 'PHASE_DONE',
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
  /**
   * of restores; of a snapshot and a deletion the inventory is the word
   */
  | 'PHASE_DONE'
  | 4

export type _jvs_link_v1_RequestUpdate_Phase = typeof _jvs_link_v1_RequestUpdate_Phase[keyof typeof _jvs_link_v1_RequestUpdate_Phase]

export interface RequestUpdateInput {
  /**
   * of the request
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
  /**
   * of a restore in place, as soon as it is there
   */
  'preRestoreSnapshotId'?: (string);
}

export interface RequestUpdate {
  /**
   * of the request
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
  /**
   * of a restore in place, as soon as it is there
   */
  'preRestoreSnapshotId': (string);
}
