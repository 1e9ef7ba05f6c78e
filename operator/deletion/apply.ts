// Carries out what was decided about a resource that is being deleted.
import { isDeepStrictEqual } from 'node:util';
import { conditionOf, setCondition } from '../api/conditions.ts';
import { type Restore, restores } from '../api/restore.ts';
import { type Snapshot, snapshots } from '../api/snapshot.ts';
import * as restore from '../restore/request.ts';
import type { KubeClient } from '../runtime/client.ts';
import { ApiError } from '../runtime/errors.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { removeFinalizer } from '../runtime/finalizer.ts';
import { Pace } from '../runtime/pace.ts';
import * as snapshot from '../snapshot/request.ts';
import { reasonHeld } from './hold.ts';
import type { Decision } from './plan.ts';

/** A status is written no more often than this, in milliseconds. */
const writeInterval = 1_000;

export class Deleter {
  readonly #client: KubeClient;
  readonly #events: EventRecorder;
  readonly #writes = new Pace();

  constructor(client: KubeClient, events: EventRecorder) {
    this.#client = client;
    this.#events = events;
  }

  /** Returns after how many milliseconds to look again, if at all. @throws ApiError, Unreachable */
  async carryOut(
    object: Snapshot | Restore,
    decision: Decision,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const uid = object.metadata.uid ?? '';
    if (decision.type === 'letGo') {
      this.#writes.delete(uid);
      if (object.kind === 'Snapshot') {
        const { finalizer, fieldManager } = snapshot;
        await removeFinalizer(this.#client, snapshots, object, finalizer, { fieldManager, signal });
      } else {
        const { finalizer, fieldManager } = restore;
        await removeFinalizer(this.#client, restores, object, finalizer, { fieldManager, signal });
      }
      return undefined;
    }
    const again = await this.#say(object, decision, signal);
    const forMs = decision.type === 'wait' ? decision.forMs : undefined;
    return again ?? forMs;
  }

  async #say(
    object: Snapshot | Restore,
    decision: Exclude<Decision, { type: 'letGo' }>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { reason, message } = decision;
    const { name, namespace, uid = '', generation = 0 } = object.metadata;
    const known = conditionOf(object, 'Deleting');
    const condition = {
      type: 'Deleting',
      status: 'True',
      reason,
      message,
      observedGeneration: generation,
    } as const;
    const conditions = setCondition(object.status?.conditions ?? [], condition, new Date());
    const said = { message, conditions };
    const { message: before, conditions: conditionsBefore } = object.status ?? {};
    if (isDeepStrictEqual(said, { message: before, conditions: conditionsBefore })) return undefined;
    const wait = this.#writes.wait(uid, writeInterval);
    if (wait > 0) return wait;

    const metadata = { name, namespace, uid };
    try {
      if (object.kind === 'Snapshot') {
        const { progress: _, ...rest } = object.status ?? {};
        const taken = decision.type === 'wait' && decision.snapshotID;
        // What is being taken is still asked for.
        const phase = rest.phase === 'InProgress' && !taken ? rest.phase : 'Expiring';
        const { fieldManager } = snapshot;
        const status = { ...rest, ...said, phase, ...(taken && { snapshotID: taken }) } as const;
        await this.#client.applyStatus(snapshots, { metadata, status }, { fieldManager, signal });
      } else {
        const { fieldManager } = restore;
        const status = { ...object.status, ...said };
        await this.#client.applyStatus(restores, { metadata, status }, { fieldManager, signal });
      }
    } catch (error) {
      // Gone, or another of that name.
      if (ApiError.is(error, 'NotFound') || ApiError.is(error, 'Conflict')) return undefined;
      throw error;
    }
    this.#writes.mark(uid);
    // Of a mass deletion the Workspace tells.
    if (known?.reason !== reason && reason !== 'Deleting' && reason !== reasonHeld) {
      this.#events.emit(object, 'Warning', reason, message);
    }
    return undefined;
  }
}
