// Original file: proto/jvs/agent/v1/agent.proto

export const Integrity = {
  INTEGRITY_UNSPECIFIED: 'INTEGRITY_UNSPECIFIED',
  INTEGRITY_VERIFIED: 'INTEGRITY_VERIFIED',
  INTEGRITY_TAMPERED: 'INTEGRITY_TAMPERED',
} as const;

export type IntegrityInput =
  | 'INTEGRITY_UNSPECIFIED'
  | 0
  | 'INTEGRITY_VERIFIED'
  | 1
  | 'INTEGRITY_TAMPERED'
  | 2

export type Integrity = typeof Integrity[keyof typeof Integrity]
