// What the operator has yet to be told. It holds what changed, not messages: a slow stream makes later states replace
// earlier ones, so that it never grows beyond what there is to know.
import { isDeepStrictEqual } from 'node:util';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { InventoryPageInput } from '../../shared/proto/gen/jvs/link/v1/InventoryPage.ts';
import type { RequestUpdateInput } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { toTimestamp } from '../../shared/proto/timestamp.ts';
import type { Descriptor } from '../repository/repository.ts';
import { toSnapshot } from '../snapshot.ts';
import { agentStatus } from '../status.ts';
import type { UpkeepView } from '../upkeep/upkeep.ts';
import { diff } from '../volume/diff.ts';
import type { VolumeState } from '../volume/volume.ts';
import { inventoryPages } from './inventory.ts';

export class Outbox {
  #state: VolumeState;
  #upkeep: UpkeepView;
  #inventory: boolean;
  #pages: Iterator<InventoryPageInput, undefined> | undefined;
  readonly #snapshots = new Map<string, Descriptor>();
  readonly #requests = new Map<string, RequestUpdateInput>();
  #status = true;
  #certificate: string;
  /** Ids of removals and notices that were said on this stream. */
  readonly #said = new Set<string>();
  #there: ReadonlySet<string>;

  /** Owes everything: the inventory as soon as the volume can be read, the status, and the word on every request. */
  constructor(
    state: VolumeState,
    upkeep: UpkeepView,
    requests: readonly RequestUpdateInput[],
    certificate = '',
  ) {
    this.#state = state;
    this.#certificate = certificate;
    this.#upkeep = upkeep;
    this.#there = idsOf(state);
    this.#inventory = state.info !== undefined;
    for (const update of requests) this.request(update.uid ?? '', update);
  }

  /** The whole inventory is owed once more. */
  recount(): void {
    this.#inventory = this.#state.info !== undefined;
  }

  /** The volume is another than it was. */
  volume(now: VolumeState): void {
    const before = this.#state;
    this.#state = now;
    if (now.snapshots !== before.snapshots) this.#there = idsOf(now);
    if (now.info && !before.info) this.#inventory = true;
    else {
      const { changed, removed } = diff(before.snapshots, now.snapshots);
      for (const id of removed) {
        this.#snapshots.delete(id);
        this.#said.delete(`removed ${id}`);
      }
      // Without a word on why, or while it may still be in a page to come, the whole inventory says that one is gone.
      const explained = new Set(this.#upkeep.journal.removed.map(({ id }) => id));
      if (removed.some((id) => this.#pages || !explained.has(id))) this.#inventory = true;
      // Oldest first, as in the inventory.
      for (const descriptor of changed.toReversed()) this.#snapshots.set(descriptor.snapshot_id, descriptor);
    }
    this.#compare([before, this.#upkeep], [now, this.#upkeep]);
  }

  /** Schedule, retention or the journal are other than they were. */
  upkeep(now: UpkeepView): void {
    const before = this.#upkeep;
    this.#upkeep = now;
    this.#compare([this.#state, before], [this.#state, now]);
    if (now.notes === before.notes) return;
    for (const descriptor of this.#state.snapshots.toReversed()) {
      const id = descriptor.snapshot_id;
      if (!isDeepStrictEqual(now.notes.get(id), before.notes.get(id))) this.#snapshots.set(id, descriptor);
    }
  }

  #compare(before: [VolumeState, UpkeepView], now: [VolumeState, UpkeepView]): void {
    // How full the volume is goes with the heartbeat.
    const { usage: _, ...told } = agentStatus(...now);
    const { usage: __, ...toldBefore } = agentStatus(...before);
    if (!isDeepStrictEqual(told, toldBefore)) this.#status = true;
  }

  /** A new word on a request; undefined takes the one before back. */
  request(uid: string, update: RequestUpdateInput | undefined): void {
    if (update) this.#requests.set(uid, update);
    else this.#requests.delete(uid);
  }

  /** Exports are served with another certificate, or none. */
  certificate(sha256: string): void {
    this.#certificate = sha256;
    this.#status = true;
  }

  /** A sign of life is due. */
  heartbeat(): void {
    this.#status = true;
  }

  /** The next message to send; undefined when nothing is owed. */
  next(): AgentMessageInput | undefined {
    // First, so that the inventory without them finds their reason known.
    for (const { id, time, reason, message } of this.#upkeep.journal.removed) {
      if (this.#there.has(id)) continue; // about to go
      if (this.#first(`removed ${id}`)) return { removed: { id, time: toTimestamp(time), reason, message } };
    }
    if (this.#inventory && !this.#pages) {
      this.#inventory = false;
      this.#snapshots.clear(); // all in it
      this.#pages = inventoryPages(this.#state.snapshots, this.#upkeep.notes);
    }
    const page = this.#pages?.next();
    if (page && !page.done) return { inventory: page.value };
    this.#pages = undefined;
    if (this.#inventory) return this.next(); // one was removed while the pages went out

    for (const [id, descriptor] of this.#snapshots) {
      this.#snapshots.delete(id);
      return { snapshot: toSnapshot(descriptor, this.#upkeep.notes.get(id)) };
    }
    for (const [uid, update] of this.#requests) {
      this.#requests.delete(uid);
      return { request: update };
    }
    for (const { time, ...notice } of this.#upkeep.journal.notices) {
      if (this.#first(`notice ${notice.id}`)) return { notice: { ...notice, time: toTimestamp(time) } };
    }
    if (!this.#status) return undefined;
    this.#status = false;
    return { status: agentStatus(this.#state, this.#upkeep, this.#certificate) };
  }

  #first(what: string): boolean {
    return this.#said.size !== this.#said.add(what).size;
  }
}

const idsOf = ({ snapshots }: VolumeState) => new Set(snapshots.map(({ snapshot_id }) => snapshot_id));
