// Original file: proto/jvs/link/v1/link.proto

import type { HookInput as _jvs_link_v1_HookInput, Hook as _jvs_link_v1_Hook } from '../../../jvs/link/v1/Hook.ts';

/**
 * spec.hooks
 */
export interface HooksInput {
  'preSnapshot'?: (_jvs_link_v1_HookInput | null);
  /**
   * runs whatever became of the snapshot
   */
  'postSnapshot'?: (_jvs_link_v1_HookInput | null);
}

/**
 * spec.hooks
 */
export interface Hooks {
  'preSnapshot': (_jvs_link_v1_Hook | null);
  /**
   * runs whatever became of the snapshot
   */
  'postSnapshot': (_jvs_link_v1_Hook | null);
}
