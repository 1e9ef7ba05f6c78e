import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import { compact } from './compact.ts';

/** Snapshots by id that know how much memory they hold, so that no agent can fill the operator's. */
export class SnapshotSet {
  readonly #byId = new Map<string, Snapshot>();
  #characters = 0;
  readonly #byRequest = new Map<string, string>();
  #view: { snapshots: ReadonlyMap<string, Snapshot>; byRequest: ReadonlyMap<string, string> } | undefined;

  /** Returns the one it replaces. */
  set(received: Snapshot): Snapshot | undefined {
    const snapshot = compact(received, this.#byId.get(received.parentId));
    const before = this.#byId.get(snapshot.id);
    this.#characters += characters(snapshot) - (before ? characters(before) : 0);
    this.#byId.set(snapshot.id, snapshot);
    if (before) this.#forgetRequest(before);
    if (snapshot.requestUid) this.#byRequest.set(snapshot.requestUid, snapshot.id);
    this.#view = undefined;
    return before;
  }

  /** Returns the one that is gone. */
  delete(id: string): Snapshot | undefined {
    const before = this.#byId.get(id);
    if (!before) return undefined;
    this.#characters -= characters(before);
    this.#byId.delete(id);
    this.#forgetRequest(before);
    this.#view = undefined;
    return before;
  }

  get(id: string): Snapshot | undefined {
    return this.#byId.get(id);
  }

  values(): Iterable<Snapshot> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Of all their strings, and a little for each tag. */
  get characters(): number {
    return this.#characters;
  }

  /** Copies that later changes do not touch; the same ones until something changes. */
  view(): { snapshots: ReadonlyMap<string, Snapshot>; byRequest: ReadonlyMap<string, string> } {
    this.#view ??= { snapshots: new Map(this.#byId), byRequest: new Map(this.#byRequest) };
    return this.#view;
  }

  #forgetRequest({ id, requestUid }: Snapshot): void {
    if (this.#byRequest.get(requestUid) === id) this.#byRequest.delete(requestUid);
  }
}

// So that empty tags are not free.
const TAG_OVERHEAD = 16;

function characters(snapshot: Snapshot): number {
  let sum = 0;
  for (const value of Object.values(snapshot)) if (typeof value === 'string') sum += value.length;
  for (const tag of snapshot.tags) sum += tag.length + TAG_OVERHEAD;
  return sum;
}
