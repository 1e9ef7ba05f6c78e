import type { Logger } from '../../shared/log.ts';

export type ChangeHandler = (workspace: string, requestUids: readonly string[]) => void;

/** Tells handlers of changes, once a turn of the event loop and workspace, however many there were. */
export class Changes {
  readonly #handlers: ChangeHandler[] = [];
  readonly #pending = new Map<string, Set<string>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  onChange(handler: ChangeHandler): void {
    this.#handlers.push(handler);
  }

  notify(workspace: string, requestUids: Iterable<string> = []): void {
    if (this.#pending.size === 0) setImmediate(() => this.#flush());
    let uids = this.#pending.get(workspace);
    if (!uids) {
      uids = new Set();
      this.#pending.set(workspace, uids);
    }
    for (const uid of requestUids) uids.add(uid);
  }

  #flush(): void {
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const [workspace, uids] of pending) {
      for (const handler of this.#handlers) {
        try {
          handler(workspace, [...uids]);
        } catch (err) {
          this.#log.error({ err, workspace }, 'a handler of agent changes failed');
        }
      }
    }
  }
}
