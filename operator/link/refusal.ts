import type { status } from '@grpc/grpc-js';

/** How a stream ends: a gRPC status code, and a sentence that tells whoever reads the agent's log what to do. */
export interface Refusal {
  readonly code: status;
  readonly message: string;
  /** Said to the same peer a moment ago: not worth a line in the log. */
  readonly repeated?: boolean;
}

export const refusal = (code: status, message: string): Refusal => ({ code, message });
