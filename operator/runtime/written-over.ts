/** Versions that we have written over, by object: while a cache still has one of them, it is behind. */
export class WrittenOver {
  readonly #versions = new Map<string, readonly (string | undefined)[]>();

  /** Whether what was written is still on its way. */
  has(key: string, version: string): boolean {
    return this.#versions.get(key)?.includes(version) ?? false;
  }

  /** `now` came of a write over `before`, and of one over `between` where that was written first. */
  set(key: string, now: string | undefined, before: string, between: string | undefined): void {
    if (now !== (between ?? before)) this.#versions.set(key, [before, between]);
  }

  delete(key: string): void {
    this.#versions.delete(key);
  }
}
