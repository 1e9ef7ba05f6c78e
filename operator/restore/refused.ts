// Restores that the API server lets nobody write to, by a policy of the cluster say. Kept in memory: an operator that
// starts finds out anew.

/** Everything by `namespace/name`. */
export class RefusedRestores {
  readonly #keys = new Set<string>();
  readonly #handlers: ((workspace: string) => void)[] = [];

  /** Called with the Workspace of each that is new. Handlers only enqueue. */
  onAdd(handler: (workspace: string) => void): void {
    this.#handlers.push(handler);
  }

  has(restore: string): boolean {
    return this.#keys.has(restore);
  }

  add(restore: string, workspace: string): void {
    if (this.#keys.has(restore)) return;
    this.#keys.add(restore);
    for (const handler of this.#handlers) handler(workspace);
  }

  delete(restore: string): void {
    this.#keys.delete(restore);
  }
}
