// Original file: proto/jvs/link/v1/link.proto

import type { RetentionPolicyInput as _jvs_link_v1_RetentionPolicyInput, RetentionPolicy as _jvs_link_v1_RetentionPolicy } from '../../../jvs/link/v1/RetentionPolicy.ts';

/**
 * spec.retentionPolicy and spec.autoSnapshot.maxSnapshots
 */
export interface RetentionInput {
  /**
   * absent: nothing but surplus automatic snapshots is pruned
   */
  'policy'?: (_jvs_link_v1_RetentionPolicyInput | null);
  /**
   * 0: no bound
   */
  'maxAutoSnapshots'?: (number);
}

/**
 * spec.retentionPolicy and spec.autoSnapshot.maxSnapshots
 */
export interface Retention {
  /**
   * absent: nothing but surplus automatic snapshots is pruned
   */
  'policy': (_jvs_link_v1_RetentionPolicy | null);
  /**
   * 0: no bound
   */
  'maxAutoSnapshots': (number);
}
