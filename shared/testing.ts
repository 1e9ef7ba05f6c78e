/** For `vi.waitFor`, which alone gives up after a second: other tests keep the disk busy for longer. Milliseconds. */
export const within = { timeout: 20_000, interval: 5 };
