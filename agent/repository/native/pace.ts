// Reading no faster than allowed, in a process that does nothing else meanwhile.

/** What opening one more file costs, in bytes read. */
const fileCost = 4096;
/** Shorter waits are not worth waking up for, longer ones would make a process hard to end. */
const waits = { least: 20, most: 1000 };

/**
 * Waits, as often as it is told what was read, until that was no more than `bytesPerSecond` since the start. The
 * process ends when its parent has: it is deaf to everything else.
 */
export function pacer(bytesPerSecond: number): (bytes: number, files: number) => void {
  const parent = process.ppid;
  const never = new Int32Array(new SharedArrayBuffer(4));
  const started = performance.now();
  let cost = 0;
  return (bytes, files) => {
    cost += bytes + files * fileCost;
    for (;;) {
      const early = (cost / bytesPerSecond) * 1000 - (performance.now() - started);
      if (early < waits.least) return;
      Atomics.wait(never, 0, 0, Math.min(early, waits.most));
      if (process.ppid !== parent) process.exit();
    }
  };
}
