// Original file: proto/jvs/agent/v1/agent.proto

import type { RetentionDecisionInput as _jvs_agent_v1_RetentionDecisionInput, RetentionDecision as _jvs_agent_v1_RetentionDecision } from '../../../jvs/agent/v1/RetentionDecision.ts';

export interface PlanRetentionResponseInput {
  /**
   * newest first
   */
  'decisions'?: (_jvs_agent_v1_RetentionDecisionInput)[];
  'deleteCount'?: (number);
  /**
   * more than half would go at once: waits for annotation jvs.io/allow-mass-prune
   */
  'held'?: (boolean);
}

export interface PlanRetentionResponse {
  /**
   * newest first
   */
  'decisions': (_jvs_agent_v1_RetentionDecision)[];
  'deleteCount': (number);
  /**
   * more than half would go at once: waits for annotation jvs.io/allow-mass-prune
   */
  'held': (boolean);
}
