// Original file: proto/jvs/link/v1/link.proto

import type { WelcomeInput as _jvs_link_v1_WelcomeInput, Welcome as _jvs_link_v1_Welcome } from '../../../jvs/link/v1/Welcome.ts';
import type { DesiredStateInput as _jvs_link_v1_DesiredStateInput, DesiredState as _jvs_link_v1_DesiredState } from '../../../jvs/link/v1/DesiredState.ts';

export interface OperatorMessageInput {
  /**
   * first, once
   */
  'welcome'?: (_jvs_link_v1_WelcomeInput | null);
  /**
   * always whole; replaces the one before
   */
  'desired'?: (_jvs_link_v1_DesiredStateInput | null);
  'message'?: "welcome"|"desired";
}

export interface OperatorMessage {
  /**
   * first, once
   */
  'welcome'?: (_jvs_link_v1_Welcome | null);
  /**
   * always whole; replaces the one before
   */
  'desired'?: (_jvs_link_v1_DesiredState | null);
  'message'?: "welcome"|"desired";
}
