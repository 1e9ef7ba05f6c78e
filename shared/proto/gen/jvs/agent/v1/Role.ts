// Original file: proto/jvs/agent/v1/agent.proto

/**
 * Of several agents on one volume the operator names one primary; the others change nothing.
 */
export const Role = {
  /**
   * the operator has not spoken yet
   */
  ROLE_UNSPECIFIED: 'ROLE_UNSPECIFIED',
  ROLE_PRIMARY: 'ROLE_PRIMARY',
  ROLE_STANDBY: 'ROLE_STANDBY',
} as const;

/**
 * Of several agents on one volume the operator names one primary; the others change nothing.
 */
export type RoleInput =
  /**
   * the operator has not spoken yet
   */
  | 'ROLE_UNSPECIFIED'
  | 0
  | 'ROLE_PRIMARY'
  | 1
  | 'ROLE_STANDBY'
  | 2

/**
 * Of several agents on one volume the operator names one primary; the others change nothing.
 */
export type Role = typeof Role[keyof typeof Role]
