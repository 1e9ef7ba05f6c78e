/** RFC 3339 in UTC with trailing zeros of the fraction trimmed, as Go's encoding/json writes a time. */
export function rfc3339(unixMs: number): string {
  return trimFraction(new Date(unixMs).toISOString());
}

/** The jvs binary parses and re-formats times before hashing: `….120Z` is hashed as `….12Z`. */
export function trimFraction(time: string): string {
  return time.replace(/\.(\d*?)0*(?=[Z+-])/, (_, digits: string) => (digits ? `.${digits}` : ''));
}
