// Original file: proto/jvs/agent/v1/agent.proto

export const Consistency = {
  /**
   * made by another program, which does not say
   */
  CONSISTENCY_UNSPECIFIED: 'CONSISTENCY_UNSPECIFIED',
  CONSISTENCY_QUIESCED: 'CONSISTENCY_QUIESCED',
  CONSISTENCY_CRASH_CONSISTENT: 'CONSISTENCY_CRASH_CONSISTENT',
  CONSISTENCY_CHANGED_DURING_COPY: 'CONSISTENCY_CHANGED_DURING_COPY',
} as const;

export type ConsistencyInput =
  /**
   * made by another program, which does not say
   */
  | 'CONSISTENCY_UNSPECIFIED'
  | 0
  | 'CONSISTENCY_QUIESCED'
  | 1
  | 'CONSISTENCY_CRASH_CONSISTENT'
  | 2
  | 'CONSISTENCY_CHANGED_DURING_COPY'
  | 3

export type Consistency = typeof Consistency[keyof typeof Consistency]
