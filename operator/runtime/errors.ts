/** The API server's Status, as far as we read it. */
export interface Status {
  code?: number;
  reason?: string;
  message?: string;
  details?: { causes?: { reason?: string; field?: string; message?: string }[]; retryAfterSeconds?: number };
}

/** The API server's answer was an error. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly status: number;
  /** `NotFound`, `Conflict`, `AlreadyExists`, `Invalid`, `Forbidden`, `Expired`, …; empty when the answer had none. */
  readonly reason: string;
  readonly details: Status['details'];
  /** The server asked us not to come back before this many milliseconds. */
  readonly retryAfter: number;

  constructor(request: string, status: number, body: Status) {
    super(`${request}: ${body.message || body.reason || `HTTP ${status}`}`);
    this.status = status;
    this.reason = body.reason ?? '';
    this.details = body.details;
    this.retryAfter = (body.details?.retryAfterSeconds ?? 0) * 1000;
  }

  static is(error: unknown, reason: string): error is ApiError {
    return error instanceof ApiError && error.reason === reason;
  }

  /** Understood, and not allowed: by a quota, a policy, a want of rights or the schema. */
  static isDenial(error: unknown): error is ApiError {
    return error instanceof ApiError && (error.status === 403 || error.status === 422);
  }
}

/** No answer, or only part of one; the server may or may not have done what it was asked for. Has the `cause`. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';

  /** Whether that is what is at the bottom of `error`. */
  static isCauseOf(error: unknown): boolean {
    for (let at = error; at instanceof Error; at = at.cause) if (at instanceof Unreachable) return true;
    return false;
  }
}

/** Trying again is useless until the object changes: the controller logs it once and waits for that. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}
