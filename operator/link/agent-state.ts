// What one agent has told since it connected.
import { isDeepStrictEqual } from 'node:util';
import { status } from '@grpc/grpc-js';
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentMessage } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { InventoryPage } from '../../shared/proto/gen/jvs/link/v1/InventoryPage.ts';
import type { Notice } from '../../shared/proto/gen/jvs/link/v1/Notice.ts';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import type { SnapshotRemoved } from '../../shared/proto/gen/jvs/link/v1/SnapshotRemoved.ts';
import type { ConnectedAgent } from './agents.ts';
import type { Identity } from './identity.ts';
import { type Refusal, refusal } from './refusal.ts';
import { SnapshotSet } from './snapshots.ts';

/** What the operator is willing to remember of one agent. */
export const limits = {
  snapshots: 20_000,
  /** Of all strings in its snapshots. */
  characters: 16 * 1024 * 1024,
  requests: 1_000,
  /** Of all strings in one RequestUpdate or AgentStatus. */
  text: 16 * 1024,
  removed: 1_000,
  notices: 200,
  worktrees: 1_000,
  /** Of all strings in one SnapshotRemoved, Notice or worktree. */
  word: 2 * 1024,
};

/** What a message changed: the requests it concerns, or nothing. */
export type Outcome = { readonly changed: readonly string[] } | undefined | Refusal;

export class AgentState {
  readonly identity: Identity;
  readonly hello: Hello;
  readonly #connectedAt: Date;
  #lastSeen: number;
  #status: AgentStatus | undefined;
  #snapshots = new SnapshotSet();
  #arriving: SnapshotSet | undefined;
  #inventoryComplete = false;
  /** One has come whole. */
  #told = false;
  /** The inventory that arrives was begun before it was asked for anew. */
  #outdated = false;
  #requests: ReadonlyMap<string, RequestUpdate> = new Map();
  #removed: ReadonlyMap<string, SnapshotRemoved> = new Map();
  #notices: ReadonlyMap<string, Notice> = new Map();
  #view: ConnectedAgent | undefined;

  /** `before`: what the same process said on its previous stream; its status still holds. `now`: epoch ms. */
  constructor(identity: Identity, hello: Hello, now: number, before?: AgentState) {
    this.identity = identity;
    this.hello = hello;
    this.#connectedAt = new Date(now);
    this.#lastSeen = now;
    if (before?.hello.session === hello.session) this.#status = before.#status;
  }

  get inventoryComplete(): boolean {
    return this.#inventoryComplete;
  }

  get requestUids(): Iterable<string> {
    return this.#requests.keys();
  }

  receive(message: AgentMessage, now: number): Outcome {
    this.#lastSeen = now;
    this.#view = undefined;
    if (message.inventory) return this.#receivePage(message.inventory);
    if (message.snapshot) return this.#receiveSnapshot(message.snapshot);
    if (message.request) return this.#receiveRequest(message.request);
    if (message.status) return this.#receiveStatus(message.status);
    if (message.removed) return this.#receiveRemoved(message.removed);
    if (message.notice) return this.#receiveNotice(message.notice);
    if (message.hello) return refusal(status.INVALID_ARGUMENT, 'Hello comes once, as the first message.');
    return undefined; // of a newer agent: a sign of life, if nothing else
  }

  /** What it has told of the volume may be old: absence means nothing until it has told all of it again. */
  recount(): void {
    // An agent begins to tell of it as soon as it is connected and has it open, before it can have been asked anew.
    const begun = !this.#inventoryComplete && !this.#status?.problem;
    this.#outdated = this.#arriving !== undefined || begun;
    this.#inventoryComplete = false;
    this.#view = undefined;
  }

  /** As it was told before; or as soon as it has been told at all. */
  takeAtItsWord(): void {
    this.#outdated = false;
    this.#inventoryComplete = this.#told;
    this.#view = undefined;
  }

  /** The operator has taken note of how these ended. */
  forgetRequests(uids: Iterable<string>): void {
    const left = new Map(this.#requests);
    for (const uid of uids) left.delete(uid);
    if (left.size === this.#requests.size) return;
    this.#requests = left;
    this.#view = undefined;
  }

  view(): ConnectedAgent {
    this.#view ??= {
      pod: this.identity.pod.name,
      node: this.identity.node,
      version: this.hello.version,
      session: this.hello.session,
      connectedAt: this.#connectedAt,
      lastSeen: new Date(this.#lastSeen),
      ...(this.#status && { status: this.#status }),
      inventoryComplete: this.#inventoryComplete,
      ...this.#snapshots.view(),
      requests: this.#requests,
      removed: this.#removed,
      notices: this.#notices,
    };
    return this.#view;
  }

  /** A new inventory replaces the old one as a whole, when its last page is here. */
  #receivePage({ snapshots, last }: InventoryPage): Outcome {
    this.#arriving ??= new SnapshotSet();
    for (const snapshot of snapshots) {
      const problem = malformed(snapshot);
      if (problem) return problem;
      this.#arriving.set(snapshot);
      if (overfull(this.#arriving)) return tooMuch();
    }
    if (!last) return undefined;
    const before = this.#snapshots;
    const now = this.#arriving;
    const first = !this.#inventoryComplete;
    this.#snapshots = now;
    this.#arriving = undefined;
    this.#told = true;
    this.#inventoryComplete = !this.#outdated;
    this.#outdated = false;
    const different = [...differences(before, now)];
    const changed = different.map(({ requestUid }) => requestUid).filter(Boolean);
    return first || different.length > 0 ? { changed } : undefined;
  }

  #receiveSnapshot(snapshot: Snapshot): Outcome {
    const problem = malformed(snapshot);
    if (problem) return problem;
    // Made while an inventory is under way: it may or may not be in a later page.
    this.#arriving?.set(snapshot);
    const before = this.#snapshots.set(snapshot);
    if (overfull(this.#snapshots) || (this.#arriving && overfull(this.#arriving))) return tooMuch();
    if (this.#removed.has(snapshot.id)) this.#removed = without(this.#removed, snapshot.id);
    if (snapshot.requestUid) this.forgetRequests([snapshot.requestUid]);
    if (isDeepStrictEqual(before, snapshot)) return undefined;
    return { changed: snapshot.requestUid ? [snapshot.requestUid] : [] };
  }

  #receiveRequest(update: RequestUpdate): Outcome {
    if (!update.uid) return refusal(status.INVALID_ARGUMENT, 'A RequestUpdate without a uid.');
    if (textOf(update) > limits.text) return tooLong('RequestUpdate', limits.text);
    if (isDeepStrictEqual(this.#requests.get(update.uid), update)) return undefined;
    // Newest last, so that the first is the one that has been silent for longest.
    this.#requests = withNewest(this.#requests, update.uid, update, limits.requests);
    return { changed: [update.uid] };
  }

  #receiveRemoved(removed: SnapshotRemoved): Outcome {
    if (!removed.id) return refusal(status.INVALID_ARGUMENT, 'A SnapshotRemoved without an id.');
    if (textOf(removed) > limits.word) return tooLong('SnapshotRemoved', limits.word);
    this.#arriving?.delete(removed.id);
    const gone = this.#snapshots.delete(removed.id);
    if (!gone && isDeepStrictEqual(this.#removed.get(removed.id), removed)) return undefined;
    this.#removed = withNewest(this.#removed, removed.id, removed, limits.removed);
    return { changed: gone?.requestUid ? [gone.requestUid] : [] };
  }

  #receiveNotice(notice: Notice): Outcome {
    if (!notice.id) return refusal(status.INVALID_ARGUMENT, 'A Notice without an id.');
    if (textOf(notice) > limits.word) return tooLong('Notice', limits.word);
    if (this.#notices.has(notice.id)) return undefined;
    this.#notices = withNewest(this.#notices, notice.id, notice, limits.notices);
    return { changed: [] };
  }

  #receiveStatus(update: AgentStatus): Outcome {
    if (textOf(update) > limits.text) return tooLong('AgentStatus', limits.text);
    if (update.worktrees.length > limits.worktrees) {
      return refusal(status.INVALID_ARGUMENT, `AgentStatus has more than ${limits.worktrees} worktrees.`);
    }
    if (update.worktrees.some((worktree) => textOf(worktree) > limits.word)) {
      return tooLong('Worktree', limits.word);
    }
    if (isDeepStrictEqual(this.#status, update)) return undefined;
    this.#status = update;
    return { changed: [] };
  }
}

function* differences(before: SnapshotSet, now: SnapshotSet): Iterable<Snapshot> {
  for (const snapshot of now.values()) {
    if (!isDeepStrictEqual(before.get(snapshot.id), snapshot)) yield snapshot;
  }
  for (const snapshot of before.values()) if (!now.get(snapshot.id)) yield snapshot;
}

function malformed(snapshot: Snapshot): Refusal | undefined {
  return snapshot.id ? undefined : refusal(status.INVALID_ARGUMENT, 'A snapshot without an id.');
}

function textOf(message: object): number {
  let sum = 0;
  for (const value of Object.values(message).flat()) if (typeof value === 'string') sum += value.length;
  return sum;
}

/** A copy with the newest last; beyond `limit` the oldest goes. */
function withNewest<T>(map: ReadonlyMap<string, T>, key: string, value: T, limit: number): Map<string, T> {
  const copy = new Map(map);
  copy.delete(key);
  copy.set(key, value);
  for (const oldest of copy.keys()) {
    if (copy.size <= limit) break;
    copy.delete(oldest);
  }
  return copy;
}

function without<T>(map: ReadonlyMap<string, T>, key: string): Map<string, T> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

const tooLong = (message: string, limit: number) =>
  refusal(status.INVALID_ARGUMENT, `The texts of ${message} are longer than ${limit} characters.`);

const overfull = (set: SnapshotSet) => set.size > limits.snapshots || set.characters > limits.characters;

const tooMuch = () =>
  refusal(
    status.RESOURCE_EXHAUSTED,
    `The volume has more snapshots than the operator takes of one agent (${limits.snapshots} snapshots, ${limits.characters / 1024 / 1024} MiB of text): prune old ones, by spec.retentionPolicy or by hand.`,
  );
