// Events that tell users what happened to their objects.
import { createHash } from 'node:crypto';
import type { Logger } from '../../shared/log.ts';
import type { KubeClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { Controller, type Result } from './controller.ts';
import { ApiError } from './errors.ts';
import { microTime } from './micro-time.ts';
import { type Event, events } from './resources.ts';
import { type KubeObject, keyOf } from './types.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorderOptions {
  /** Who reports: the program, and which of its instances. */
  controller: string;
  instance: string;
  log: Logger;
  clock?: Clock;
}

/** The same about the same object, again and again. */
interface Series {
  /** As it was the first time. */
  event: Event;
  shares: readonly Share[];
  count: number;
  /** How many of them the server knows of. */
  written: number;
  lastAt: number;
  lastTime: Date;
  /** One happening, however often it is told: no repetition of it is news. */
  once: boolean;
}

/** Series that are bounded together. */
interface Share {
  key: string;
  most: number;
}

const REPEAT_WRITE_MS = 10_000;
const FORGET_AFTER_MS = 10 * 60_000;
const MAX_PER_REASON = 25;
const MAX_PER_OBJECT = 100;
/** Of those that are told once. */
const MAX_ONCE_PER_OBJECT = 200;
const MAX_NOTE_BYTES = 1024;
const MAX_NAME = 230;

/**
 * The same reason and message about the same object is one Event that counts, also over restarts of the operator;
 * repetitions are written every 10 s at most. An object gets at most 25 different ones of a reason in 10 minutes, so that
 * they leave room for others, and 100 in all.
 * Events are best effort: `emit` never throws and never waits.
 */
export class EventRecorder {
  readonly #client: KubeClient;
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  /** How many there are, by the key of the share. */
  readonly #counts = new Map<string, number>();
  readonly #writer: Controller;

  constructor(client: KubeClient, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#writer = new Controller({
      name: 'events',
      reconcile: (key, signal) => this.#write(key, signal),
      clock: this.#clock,
      log: options.log,
    });
  }

  /** Writes until the signal aborts; what is emitted earlier waits for it. */
  start(signal: AbortSignal): Promise<void> {
    return this.#writer.start(signal);
  }

  /** `reason` is one CamelCase word; `message` tells the user what to do. The object needs apiVersion, kind and uid. */
  emit(object: KubeObject, type: EventType, reason: string, message: string): void {
    this.#emit(object, type, reason, message);
  }

  /** As emit, for one happening: `id` tells it from others, so that it is one Event however often it is told. */
  emitOnce(
    object: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    happening: { id: string; at: Date },
  ): void {
    this.#emit(object, type, reason, message, happening);
  }

  #emit(
    object: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    happening?: { id: string; at: Date },
  ): void {
    const { apiVersion, kind, metadata } = object;
    if (!apiVersion || !kind || !metadata.uid) {
      this.#options.log.error(
        { object: keyOf(object), reason, message },
        'an event needs apiVersion, kind and uid',
      );
      return;
    }
    const namespace = metadata.namespace ?? 'default';
    const id = createHash('sha256')
      .update(
        JSON.stringify(happening ? [metadata.uid, happening.id] : [metadata.uid, type, reason, message]),
      )
      .digest('hex');
    const key = `${namespace}/${metadata.name.slice(0, MAX_NAME).replace(/[-.]+$/, '')}.${id.slice(0, 16)}`;
    let series = this.#series.get(key);
    if (series && happening) return;
    if (!series) {
      const shares = sharesOf(metadata.uid, reason, happening !== undefined);
      if (shares.some(({ key, most }) => this.#countOf(key) >= most)) {
        this.#options.log.debug({ object: keyOf(object), reason, message }, 'too many events, dropping one');
        return;
      }
      for (const { key } of shares) this.#counts.set(key, this.#countOf(key) + 1);
      const now = new Date();
      const event: Event = {
        metadata: { namespace, name: key.slice(namespace.length + 1) },
        regarding: {
          apiVersion,
          kind,
          namespace: metadata.namespace,
          name: metadata.name,
          uid: metadata.uid,
        },
        type,
        reason,
        action: reason,
        note: truncate(message),
        eventTime: microTime(happening?.at ?? now),
        reportingController: this.#options.controller,
        reportingInstance: this.#options.instance,
      };
      series = {
        event,
        shares,
        count: 0,
        written: 0,
        lastAt: 0,
        lastTime: now,
        once: happening !== undefined,
      };
      this.#series.set(key, series);
    }
    series.count += 1;
    series.lastAt = this.#clock.now();
    series.lastTime = new Date();
    this.#writer.enqueue(key, { after: series.count === 1 ? 0 : REPEAT_WRITE_MS });
  }

  async #write(key: string, signal: AbortSignal): Promise<Result> {
    const series = this.#series.get(key);
    if (!series) return;
    const quietMs = this.#clock.now() - series.lastAt;
    try {
      if (series.written < series.count) await this.#send(series, signal);
      else if (quietMs >= FORGET_AFTER_MS) return this.#forget(key, series);
    } catch (err) {
      const refused = err instanceof ApiError && err.status < 500 && err.status !== 429;
      if (!refused && quietMs < FORGET_AFTER_MS) throw err;
      this.#options.log.warn(
        { err, key, reason: series.event.reason },
        'an event could not be written, dropping it',
      );
      return this.#forget(key, series);
    }
    return { requeueAfter: FORGET_AFTER_MS };
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { event } = series;
    if (series.written === 0) {
      const sending = series.count;
      try {
        await this.#client.create(events, { ...event, ...seriesOf(series) }, { signal });
        series.written = sending;
        return;
      } catch (error) {
        if (!ApiError.is(error, 'AlreadyExists')) throw error;
      }
      if (series.once) {
        series.written = sending;
        return;
      }
      const known = await this.#client.get(events, event.metadata, { signal });
      series.written = known?.series?.count ?? 1;
      // Unless it is what we sent before, only the answer was lost: an earlier process counted these.
      if (known?.eventTime !== event.eventTime) series.count += series.written;
      if (series.written >= series.count) return;
    }
    const sending = series.count;
    try {
      await this.#client.mergePatch(events, event.metadata, seriesOf(series), { signal });
      series.written = sending;
    } catch (error) {
      if (!ApiError.is(error, 'NotFound')) throw error;
      series.written = 0; // the server forgets events after an hour
      await this.#send(series, signal);
    }
  }

  #forget(key: string, series: Series): void {
    this.#series.delete(key);
    for (const share of series.shares) {
      const others = this.#countOf(share.key) - 1;
      if (others > 0) this.#counts.set(share.key, others);
      else this.#counts.delete(share.key);
    }
  }

  #countOf(share: string): number {
    return this.#counts.get(share) ?? 0;
  }
}

/** Once for each spec of the object, however often it is looked at. */
export function tellUnreadable(events: EventRecorder, object: KubeObject, message: string): void {
  const { uid, generation } = object.metadata;
  const happening = { id: `unreadable ${uid} ${generation}`, at: new Date() };
  events.emitOnce(object, 'Warning', 'Unreadable', message, happening);
}

function sharesOf(uid: string, reason: string, once: boolean): Share[] {
  if (once) return [{ key: `${uid} once`, most: MAX_ONCE_PER_OBJECT }];
  return [
    { key: uid, most: MAX_PER_OBJECT },
    { key: `${uid} ${reason}`, most: MAX_PER_REASON },
  ];
}

function seriesOf({ count, lastTime }: Series): Pick<Event, 'series'> {
  return count > 1 ? { series: { count, lastObservedTime: microTime(lastTime) } } : {};
}

function truncate(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= MAX_NOTE_BYTES) return note;
  // `stream` keeps back a character that was cut in two.
  return `${new TextDecoder().decode(bytes.subarray(0, MAX_NOTE_BYTES - 3), { stream: true })}…`;
}
