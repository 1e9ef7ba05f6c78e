// The agents that are connected, by workspace: who is primary, what each is told, what each has told.
import { isDeepStrictEqual } from 'node:util';
import { status } from '@grpc/grpc-js';
import type { Logger } from '../../shared/log.ts';
import type { Role } from '../../shared/proto/gen/jvs/agent/v1/Role.ts';
import type { AgentMessage } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { OperatorMessageInput } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import { Multimap } from '../runtime/multimap.ts';
import { AgentState } from './agent-state.ts';
import type { Agents, ConnectedAgent, Desired } from './agents.ts';
import { Bucket } from './bucket.ts';
import { type ChangeHandler, Changes } from './changes.ts';
import { type Clock, systemClock } from './clock.ts';
import { desiredState } from './desired.ts';
import type { Identity } from './identity.ts';
import { type Refusal, refusal } from './refusal.ts';

export const HEARTBEAT_SECONDS = 20;
const SILENT_MS = 3 * HEARTBEAT_SECONDS * 1000;
/** A stream that broke may be back in a moment: until then nothing is said and nobody is promoted. */
export const LINGER_MS = 10_000;

/** A new primary looks at the volume again before its inventory counts; one that never says so is taken at its word then. */
export const RECOUNT_MS = 60_000;

/** One unit is a message or 4 KiB of one: an inventory of 20,000 snapshots at once, a hundred progress reports a second. */
const FLOOD = { burst: 10_000, perSecond: 200, bytes: 4096 };

/** The agent's end of a stream. */
export interface Peer {
  send(message: OperatorMessageInput): void;
  end(reason: Refusal): void;
}

export interface Session {
  readonly identity: Identity;
}

interface Entry extends Session {
  readonly state: AgentState;
  readonly peer: Peer;
  readonly bucket: Bucket;
  /** Monotonic ms. */
  heardAt: number;
  /** Monotonic ms; the stream broke then. */
  lostAt?: number;
  /** Its pod is being deleted. */
  leaving: boolean;
  /** Monotonic ms; what it was told of before it was primary is old, until a new inventory or then. */
  recountBy?: number;
  sent?: DesiredStateInput;
  /** That it has, as far as it has been told. */
  role: Role;
}

interface Place {
  /** By seniority, those whose pods are being deleted last: the first is the primary. */
  readonly agents: Entry[];
  desired?: Desired;
}

export class Registry implements Agents {
  readonly #places = new Map<string, Place>();
  /** By pod: one entry, or more for a moment when its label has changed. */
  readonly #byPod = new Multimap<string, Entry>();
  readonly #changes: Changes;
  readonly #clock: Clock;
  /** Monotonic ms; undefined while no agent can connect. */
  #openedAt: number | undefined;

  constructor(log: Logger, clock: Clock = systemClock) {
    this.#changes = new Changes(log);
    this.#clock = clock;
  }

  /** Agents can connect from now on, until `clear`. */
  open(): void {
    this.#openedAt = this.#clock.monotonic();
  }

  openFor(): number {
    return this.#openedAt === undefined ? 0 : this.#clock.monotonic() - this.#openedAt;
  }

  primary(workspace: string): ConnectedAgent | undefined {
    return this.#places.get(workspace)?.agents[0]?.state.view();
  }

  connected(workspace: string): readonly ConnectedAgent[] {
    return this.#places.get(workspace)?.agents.map(({ state }) => state.view()) ?? [];
  }

  onChange(handler: ChangeHandler): void {
    this.#changes.onChange(handler);
  }

  setDesired(workspace: string, desired: Desired): void {
    const place = this.#place(workspace);
    if (isDeepStrictEqual(place.desired, desired)) return;
    const finished = withdrawn(place.desired, desired);
    for (const { state } of place.agents) state.forgetRequests(finished);
    place.desired = desired;
    this.#publish(place);
    this.#changes.notify(workspace);
  }

  desiredOf(workspace: string): Desired | undefined {
    return this.#places.get(workspace)?.desired;
  }

  forget(workspace: string): void {
    const place = this.#places.get(workspace);
    this.#places.delete(workspace);
    for (const entry of place?.agents ?? []) {
      this.#byPod.delete(podKey(entry.identity.pod), entry);
      entry.peer.end(
        refusal(status.NOT_FOUND, `Workspace ${workspace} is deleted; what is on the volume stays.`),
      );
    }
  }

  /** A stream of the same pod takes the place of the one before. */
  attach(identity: Identity, hello: Hello, peer: Peer): Session {
    const place = this.#place(identity.workspace);
    const index = place.agents.findIndex(({ identity: { pod } }) => pod.name === identity.pod.name);
    const before = place.agents[index];
    const samePod = before?.identity.pod.uid === identity.pod.uid;
    const heardAt = this.#clock.monotonic();
    const entry: Entry = {
      identity,
      state: new AgentState(identity, hello, this.#clock.wall(), samePod ? before?.state : undefined),
      peer,
      bucket: new Bucket(FLOOD.burst, FLOOD.perSecond, heardAt),
      heardAt,
      leaving: identity.leaving || (samePod && before?.leaving) || false,
      role: hello.role,
    };
    if (samePod) place.agents[index] = entry;
    else {
      if (before) place.agents.splice(index, 1);
      place.agents.push(entry);
    }
    if (before) this.#byPod.delete(podKey(before.identity.pod), before);
    this.#byPod.add(podKey(entry.identity.pod), entry);
    before?.peer.end(
      refusal(status.ABORTED, `A newer stream of pod ${identity.pod.name} has replaced this one.`),
    );
    this.#publish(place);
    this.#changes.notify(identity.workspace, uidsOf(place, before));
    return entry;
  }

  /** `size`: bytes of the message on the wire. Ends the stream of an agent that breaks the rules. */
  receive(session: Session, message: AgentMessage, size: number): void {
    const { place, entry } = this.#find(session);
    if (!place || !entry) return;
    const now = this.#clock.monotonic();
    if (!entry.bucket.take(1 + size / FLOOD.bytes, now)) {
      const limit = `More than ${FLOOD.perSecond} messages a second`;
      this.end(session, refusal(status.RESOURCE_EXHAUSTED, `${limit}; send what changed, when it changed.`));
      return;
    }
    entry.heardAt = now;
    const { inventoryComplete } = entry.state;
    const outcome = entry.state.receive(message, this.#clock.wall());
    if (!outcome) return;
    if ('code' in outcome) {
      this.end(session, outcome);
      return;
    }
    // From now on absence means something: every request has to be looked at again.
    const complete = !inventoryComplete && entry.state.inventoryComplete;
    this.#changes.notify(
      entry.identity.workspace,
      complete ? [...outcome.changed, ...uidsOf(place)] : outcome.changed,
    );
  }

  /** Its pod is being deleted: another agent becomes primary, where there is one. */
  retire(session: Session): void {
    const { place, entry } = this.#find(session);
    if (!place || !entry || entry.leaving) return;
    entry.leaving = true;
    this.#publish(place);
    this.#changes.notify(entry.identity.workspace, uidsOf(place, entry));
  }

  /** Hangs up. */
  end(session: Session, reason: Refusal): void {
    const { entry } = this.#find(session);
    if (!entry) return;
    entry.peer.end(reason);
    this.left(session);
  }

  /** The agent has hung up for good. */
  left(session: Session): void {
    const { place, entry } = this.#find(session);
    if (!place || !entry) return;
    place.agents.splice(place.agents.indexOf(entry), 1);
    this.#byPod.delete(podKey(entry.identity.pod), entry);
    this.#publish(place);
    this.#changes.notify(entry.identity.workspace, uidsOf(place, entry));
    if (place.agents.length === 0 && !place.desired) this.#places.delete(entry.identity.workspace);
  }

  /** The stream broke. */
  lost(session: Session): void {
    const { entry } = this.#find(session);
    if (entry) entry.lostAt ??= this.#clock.monotonic();
  }

  /** Lets go of agents that are silent or have not come back. To be called every few seconds. */
  tick(): void {
    const now = this.#clock.monotonic();
    for (const entry of this.#entries()) {
      if (entry.recountBy !== undefined && now >= entry.recountBy) {
        delete entry.recountBy;
        entry.state.takeAtItsWord();
        this.#changes.notify(entry.identity.workspace, uidsOf(this.#place(entry.identity.workspace)));
      }
      if (entry.lostAt !== undefined && now - entry.lostAt >= LINGER_MS) this.left(entry);
      else if (now - entry.heardAt >= SILENT_MS) {
        this.end(
          entry,
          refusal(
            status.UNAVAILABLE,
            `Nothing heard from this agent for ${SILENT_MS / 1000} s; connect again.`,
          ),
        );
      }
    }
  }

  /** Snapshot of the sessions; of one pod, or all. */
  sessions(pod?: { namespace: string; name: string }): Session[] {
    return pod ? [...this.#byPod.get(podKey(pod))] : this.#entries();
  }

  /** Hangs up on all agents and forgets what was asked of them, which handlers are told: who leads next asks again. */
  clear(reason: Refusal): void {
    this.#openedAt = undefined;
    for (const entry of this.#entries()) this.end(entry, reason);
    for (const workspace of this.#places.keys()) this.#changes.notify(workspace);
    this.#places.clear();
  }

  /** Agents with an open stream, and workspaces that have one. */
  stats(): { agents: number; workspaces: number } {
    const open = this.#entries().filter(({ lostAt }) => lostAt === undefined);
    return { agents: open.length, workspaces: new Set(open.map(({ identity }) => identity.workspace)).size };
  }

  #place(workspace: string): Place {
    let place = this.#places.get(workspace);
    if (!place) {
      place = { agents: [] };
      this.#places.set(workspace, place);
    }
    return place;
  }

  #entries(): Entry[] {
    return [...this.#places.values()].flatMap(({ agents }) => agents);
  }

  /** Nothing when the session has ended or was replaced. */
  #find(session: Session): { place?: Place; entry?: Entry } {
    const place = this.#places.get(session.identity.workspace);
    return { place, entry: place?.agents.find((entry) => entry === session) };
  }

  #publish({ agents, desired }: Place): void {
    agents.sort((a, b) => Number(a.leaving) - Number(b.leaving));
    const [first] = agents;
    if (first?.role === 'ROLE_STANDBY') {
      first.state.recount();
      first.recountBy = this.#clock.monotonic() + RECOUNT_MS;
      first.role = 'ROLE_PRIMARY';
    }
    if (!desired) return;
    for (const entry of agents) {
      const role = entry === first ? 'ROLE_PRIMARY' : 'ROLE_STANDBY';
      const state = desiredState(desired, role);
      if (isDeepStrictEqual(entry.sent, state)) continue;
      entry.sent = state;
      entry.role = role;
      entry.peer.send({ desired: state });
    }
  }
}

const podKey = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;

/** Requests whose outlook changes with the agents. */
function uidsOf({ desired }: Place, entry?: Entry): string[] {
  return [...uidsIn(desired).flat(), ...(entry?.state.requestUids ?? [])];
}

/** Uids that are asked for no longer, each in its kind: what is said of a restore says nothing of a deletion. */
function withdrawn(before: Desired | undefined, now: Desired): string[] {
  const wanted = uidsIn(now).map((uids) => new Set(uids));
  return uidsIn(before).flatMap((uids, kind) => uids.filter((uid) => !wanted[kind]?.has(uid)));
}

const uidsIn = (desired: Desired | undefined): string[][] =>
  [desired?.snapshots, desired?.restores, desired?.deletions].map(
    (requests) => requests?.map(({ uid }) => uid) ?? [],
  );
