/** The API server's Status, as far as we read it. */
export interface Status {
  code?: number;
  reason?: string;
  message?: string;
  details?: { causes?: { reason?: string; field?: string; message?: string }[]; retryAfterSeconds?: number };
}

/** The API server's answer was an error. What did not reach it is a plain Error with its `cause`. */
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
}

/** Trying again is useless until the object changes: the controller logs it once and waits for that. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}
