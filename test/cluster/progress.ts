/** Says on standard error what is done and how long it took; long steps give a sign of life. */
export async function step<T>(what: string, body: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const elapsed = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  const alive = setInterval(() => say(`  … ${what}, ${elapsed()}`), 15_000);
  try {
    const result = await body();
    say(`  ${what}: ${elapsed()}`);
    return result;
  } finally {
    clearInterval(alive);
  }
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
