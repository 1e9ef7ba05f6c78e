export interface Clock {
  /** Epoch ms, for people. */
  wall(): number;
  /** ms that never jump, for deadlines. */
  monotonic(): number;
}

export const systemClock: Clock = { wall: () => Date.now(), monotonic: () => performance.now() };
