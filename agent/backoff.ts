/**
 * Full jitter: anything up to `base · 2^attempt`, so that many agents that lost the same operator come back spread out.
 * All in milliseconds; `attempt` counts from 0.
 */
export function backoff(
  attempt: number,
  { base, cap, random = Math.random }: { base: number; cap: number; random?: () => number },
): number {
  return Math.round(random() * Math.min(cap, base * 2 ** Math.min(attempt, 30)));
}
