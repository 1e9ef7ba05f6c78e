// One leader at a time, by a Lease. Spans are measured on our own clock: the times in the Lease are for people to read.
import { randomUUID } from 'node:crypto';
import type { Logger } from '../../shared/log.ts';
import type { CallOptions, KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import { microTime } from './micro-time.ts';
import { pause } from './pause.ts';
import { type Lease, leases } from './resources.ts';

export interface LeaderElectionOptions {
  namespace: string;
  name: string;
  /** The pod's name, for people; made unique here, so that a restarted process does not take itself for its forerunner. */
  identity: string;
  /** Others may take over when the leader has not renewed for this long; whole seconds. */
  leaseMs?: number;
  /** A leader that could not renew for this long stops leading; well below leaseMs. */
  renewMs?: number;
  /** Between two looks at the Lease. */
  retryMs?: number;
  log: Logger;
}

/** The lease was lost and the work did not end in time: the process has to exit before somebody else leads. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export class LeaderElection {
  readonly #client: KubeClient;
  readonly #options: Required<LeaderElectionOptions>;
  readonly #identity: string;
  readonly #log: Logger;
  /** When what renewed the lease last was sent, by performance.now(). */
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(client: KubeClient, options: LeaderElectionOptions) {
    this.#client = client;
    this.#options = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000, ...options };
    this.#identity = `${options.identity}_${randomUUID()}`;
    this.#log = options.log.child({
      lease: `${options.namespace}/${options.name}`,
      identity: this.#identity,
    });
  }

  /**
   * Runs `work` whenever this process leads, until stopped. On stop the signal given to `work` aborts; the lease is
   * kept until `work` has come to its end and given back after that, so that the next leader starts at once.
   *
   * When the lease cannot be renewed in time, as while the API server is away, the signal aborts too, and once `work`
   * has ended this process waits for its turn again. Rejects when `work` does, and with LeadershipLost when it has
   * not ended by the time others may take over; then the caller exits the process.
   */
  async lead(stop: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    for (;;) {
      const taken = await this.#acquire(stop);
      if (!taken) return;
      this.#log.info('leading');
      if (await this.#leadWith(taken, stop, work)) return;
      this.#log.warn('not leading any more, waiting for the next turn');
    }
  }

  /**
   * For each change that the leader makes: one that was paused wakes with timers that are due, and finds out by and by
   * that another leads. @throws LeaseLost when the lease has not been renewed in time
   */
  assertLeading(): void {
    const { renewMs } = this.#options;
    if (performance.now() - this.#renewedAt > renewMs)
      throw new LeaseLost(`the lease has not been renewed for ${renewMs} ms: another may lead`);
  }

  /** False when the lease was lost. */
  async #leadWith(
    taken: Lease,
    stop: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    const { leaseMs, renewMs } = this.#options;
    const lost = new AbortController();
    const finished = new AbortController();
    const worked = work(AbortSignal.any([stop, lost.signal])).finally(() => finished.abort());
    worked.catch(() => {}); // awaited below, unless the lease is lost before
    const last = await this.#hold(taken, finished.signal).catch((error: unknown) => {
      this.#renewedAt = Number.NEGATIVE_INFINITY;
      lost.abort(error);
    });
    if (last) {
      await this.#release(last);
      await worked;
      return true;
    }
    await pause(leaseMs - renewMs, finished.signal);
    if (!finished.signal.aborted)
      throw new LeadershipLost(`what the leader does has not ended in ${leaseMs - renewMs} ms`, {
        cause: lost.signal.reason,
      });
    await worked.catch((err: unknown) => this.#log.debug({ err }, 'work was broken off'));
    return false;
  }

  /** undefined when stopped before. */
  async #acquire(stop: AbortSignal): Promise<Lease | undefined> {
    const { retryMs, leaseMs } = this.#options;
    let seen = { record: '', unchangedMs: 0 };
    let lookedAt = Number.POSITIVE_INFINITY;
    while (!stop.aborted) {
      try {
        const lease = await this.#client.get(leases, this.#options, { signal: stop, timeoutMs: leaseMs });
        const { holderIdentity, renewTime, leaseDurationSeconds } = lease?.spec ?? {};
        const record = `${holderIdentity} ${renewTime}`;
        const now = performance.now();
        const unchangedMs = seen.record === record ? seen.unchangedMs + Math.max(0, now - lookedAt) : 0;
        seen = { record, unchangedMs };
        lookedAt = now;
        // Ours, when the answer to an earlier attempt was lost.
        const free = !holderIdentity || holderIdentity === this.#identity;
        if (!lease || free || unchangedMs > (leaseDurationSeconds ?? 0) * 1000)
          return await this.#take(lease, stop);
        this.#log.debug({ holderIdentity, unchangedMs }, 'somebody else leads');
      } catch (err) {
        if (stop.aborted) break;
        // While the API server is away the leader can not renew either. It goes on where it was when that is back: the
        // agents find it there, when another one's address would have to go round first.
        lookedAt = Number.POSITIVE_INFINITY;
        if (err instanceof ApiError && err.status === 409) this.#log.debug('somebody else was faster');
        else this.#log.warn({ err }, 'looking at the lease failed');
      }
      await pause(retryMs * (0.8 + 0.4 * Math.random()), stop);
    }
    return undefined;
  }

  async #take(lease: Lease | undefined, signal: AbortSignal): Promise<Lease> {
    const { namespace, name, leaseMs } = this.#options;
    const now = microTime(new Date());
    const spec = {
      holderIdentity: this.#identity,
      leaseDurationSeconds: Math.ceil(leaseMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: lease ? (lease.spec?.leaseTransitions ?? 0) + 1 : 0,
    };
    const renewedAt = performance.now();
    const taken = lease
      ? await this.#patch(lease, spec, { signal })
      : await this.#client.create(leases, { metadata: { namespace, name }, spec }, { signal });
    this.#renewedAt = renewedAt;
    return taken;
  }

  /** Renews until `finished`. Throws when the lease is lost. */
  async #hold(lease: Lease, finished: AbortSignal): Promise<Lease> {
    const { renewMs, retryMs } = this.#options;
    let cause: unknown;
    for (;;) {
      const left = () => this.#renewedAt + renewMs - performance.now();
      await pause(Math.max(0, Math.min(retryMs, left())), finished);
      if (finished.aborted) return lease;
      if (left() <= 0) throw new LeaseLost(`the lease could not be renewed for ${renewMs} ms`, { cause });
      const sentAt = performance.now();
      try {
        // Half the time at most, so that one lost answer does not use up all of it.
        const timeoutMs = Math.min(left(), renewMs / 2);
        lease = await this.#patch(lease, { renewTime: microTime(new Date()) }, { timeoutMs });
        this.#renewedAt = sentAt;
      } catch (err) {
        cause = err;
        this.#log.warn({ err, leftMs: Math.round(left()) }, 'renewing the lease failed');
        if (err instanceof ApiError && (err.status === 409 || err.status === 404))
          lease = await this.#confirm(lease);
      }
    }
  }

  /** The Lease has been changed, perhaps only its labels: still ours? Throws when it is not. */
  async #confirm(known: Lease): Promise<Lease> {
    const { renewMs } = this.#options;
    try {
      const lease = await this.#client.get(leases, known.metadata, { timeoutMs: renewMs / 4 });
      if (lease?.spec?.holderIdentity === this.#identity) return lease;
      throw new LeaseLost(`the lease is held by ${lease?.spec?.holderIdentity ?? 'nobody'} now`);
    } catch (err) {
      if (err instanceof LeaseLost) throw err;
      this.#log.warn({ err }, 'looking at the lease failed');
      return known;
    }
  }

  async #release(lease: Lease): Promise<void> {
    try {
      const spec = { holderIdentity: null, renewTime: microTime(new Date()) };
      await this.#patch(lease, spec, { timeoutMs: this.#options.retryMs });
      this.#log.info('gave the lease back');
    } catch (err) {
      this.#log.warn({ err }, 'giving the lease back failed; it expires');
    }
  }

  #patch(lease: Lease, spec: object, options: CallOptions): Promise<Lease> {
    const { resourceVersion } = lease.metadata;
    return this.#client.mergePatch(leases, lease.metadata, { metadata: { resourceVersion }, spec }, options);
  }
}
