import { status } from '@grpc/grpc-js';
import { NotPrimary, QueueFull, TooMany } from '../executor/errors.ts';
import { RepositoryError, type RepositoryErrorReason } from '../repository/repository.ts';
import { VolumeUnavailable } from '../volume/volume.ts';

/** A gRPC status as a handler throws it; the message says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

const codes: Record<RepositoryErrorReason, status> = {
  NotFound: status.NOT_FOUND,
  InvalidArgument: status.INVALID_ARGUMENT,
  ParentMismatch: status.FAILED_PRECONDITION,
  ForeignRepository: status.FAILED_PRECONDITION,
  UnsupportedFormat: status.FAILED_PRECONDITION,
  Unsupported: status.UNIMPLEMENTED,
  DamagedRepository: status.DATA_LOSS,
  Busy: status.UNAVAILABLE,
  VolumeFull: status.RESOURCE_EXHAUSTED,
  ReadOnlyVolume: status.FAILED_PRECONDITION,
  PermissionDenied: status.FAILED_PRECONDITION, // the agent's on the volume, not the caller's
  Aborted: status.ABORTED,
  Internal: status.INTERNAL,
};

/** What a caller of the debug API is told of an error. */
export function toServiceError(error: unknown): { code: status; details: string } {
  const details = error instanceof Error ? error.message : String(error);
  return { code: codeOf(error), details };
}

function codeOf(error: unknown): status {
  if (error instanceof ApiError) return error.code;
  if (error instanceof RepositoryError) return codes[error.reason];
  if (error instanceof NotPrimary) return status.FAILED_PRECONDITION;
  if (error instanceof QueueFull || error instanceof TooMany) return status.RESOURCE_EXHAUSTED;
  if (error instanceof VolumeUnavailable) {
    const { reason } = error.problem;
    return Object.hasOwn(codes, reason) ? codes[reason as RepositoryErrorReason] : status.UNAVAILABLE;
  }
  // A policy that retention refuses.
  if (error instanceof RangeError) return status.FAILED_PRECONDITION;
  return status.INTERNAL;
}
