// jvs.agent.v1.Agent: what the debug API answers.
import { status } from '@grpc/grpc-js';
import type { CreateSnapshotRequest } from '../../shared/proto/gen/jvs/agent/v1/CreateSnapshotRequest.ts';
import type { ListSnapshotsRequest } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponseInput } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsResponse.ts';
import type { PlanRetentionResponseInput } from '../../shared/proto/gen/jvs/agent/v1/PlanRetentionResponse.ts';
import type { SnapshotInput } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { StatusInput } from '../../shared/proto/gen/jvs/agent/v1/Status.ts';
import type { VerifyResponseInput } from '../../shared/proto/gen/jvs/agent/v1/VerifyResponse.ts';
import { Exclusive } from '../exclusive.ts';
import type { Executor } from '../executor/executor.ts';
import type { Descriptor } from '../repository/repository.ts';
import { isReservedTag, toSnapshot } from '../snapshot.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Volume } from '../volume/volume.ts';
import { ApiError } from './errors.ts';
import { RateLimiter } from './limiter.ts';
import { pageOf } from './page.ts';

/** A checkpoint every few seconds is a workload's right; a loop of them would fill the volume. */
const selfSnapshots = { burst: 10, intervalMs: 10_000 };
/** They read whole snapshots: one at a time, and few wait. */
const mostVerifying = 4;

export interface ServiceOptions {
  volume: Volume;
  executor: Executor;
  upkeep: Pick<Upkeep, 'view' | 'plan' | 'verify'>;
  status: () => StatusInput;
  now?: () => number;
}

export class AgentService {
  readonly #options: ServiceOptions;
  readonly #now: () => number;
  readonly #limiter: RateLimiter;
  readonly #verifying = new Exclusive();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#limiter = new RateLimiter({ ...selfSnapshots, now: this.#now() });
  }

  getStatus(): StatusInput {
    return this.#options.status();
  }

  async listSnapshots(request: ListSnapshotsRequest): Promise<ListSnapshotsResponseInput> {
    const { volume } = this.#options;
    void volume.repository; // an empty list would be a lie while it is not open
    await volume.refresh();
    const { snapshots, ...page } = pageOf(volume.state.snapshots, request);
    return { ...page, snapshots: snapshots.map((found) => this.#told(found)) };
  }

  async getSnapshot({ id }: { id: string }): Promise<SnapshotInput> {
    return this.#told(await this.#options.volume.repository.get(snapshotId(id)));
  }

  async createSnapshot(request: CreateSnapshotRequest, signal: AbortSignal): Promise<SnapshotInput> {
    const { note, tags, worktree } = request;
    const reserved = tags.find(isReservedTag);
    if (reserved !== undefined) {
      throw new ApiError(
        status.INVALID_ARGUMENT,
        `tags: ${JSON.stringify(reserved)} is reserved for Snapshot resources and schedules; use a tag that does not begin with k8s- or auto-`,
      );
    }
    const wait = this.#limiter.take(this.#now());
    if (wait > 0) {
      throw new ApiError(
        status.RESOURCE_EXHAUSTED,
        `Snapshots by this pod are limited to one every ${selfSnapshots.intervalMs / 1000} s after a burst of ` +
          `${selfSnapshots.burst}: try again in ${Math.ceil(wait / 1000)} s`,
      );
    }
    const options = { worktree: worktree || 'main', note: note || undefined, tags };
    return toSnapshot(await this.#options.executor.create(options, signal));
  }

  async planRetention(): Promise<PlanRetentionResponseInput> {
    const { volume, upkeep } = this.#options;
    await volume.refresh();
    const { decisions, held } = await upkeep.plan();
    return { decisions, deleteCount: decisions.filter(({ keep }) => !keep).length, held: held > 0 };
  }

  #told(descriptor: Descriptor): SnapshotInput {
    return toSnapshot(descriptor, this.#options.upkeep.view.notes.get(descriptor.snapshot_id));
  }

  async verify({ id }: { id: string }, signal: AbortSignal): Promise<VerifyResponseInput> {
    const { upkeep } = this.#options;
    const asked = snapshotId(id);
    if (this.#verifying.pending > mostVerifying) {
      throw new ApiError(status.RESOURCE_EXHAUSTED, 'Other calls of Verify are waiting: try again later');
    }
    const found = await this.#verifying.run(() => upkeep.verify(asked, signal), signal);
    const { descriptorValid, payloadValid, error } = found;
    return {
      id: asked,
      valid: descriptorValid && payloadValid,
      descriptorValid,
      payloadValid,
      message: error,
    };
  }
}

/** Ids become paths: nothing else gets near the repository. */
function snapshotId(id: string): string {
  if (/^\d{13}-[0-9a-f]{8}$/.test(id)) return id;
  throw new ApiError(
    status.INVALID_ARGUMENT,
    `id: ${JSON.stringify(id)} is no snapshot id; they look like 1795507921120-0badcafe, ListSnapshots names them`,
  );
}
