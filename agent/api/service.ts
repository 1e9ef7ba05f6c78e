// jvs.agent.v1.Agent: what the debug API answers.
import { status } from '@grpc/grpc-js';
import type { CreateSnapshotRequest } from '../../shared/proto/gen/jvs/agent/v1/CreateSnapshotRequest.ts';
import type { DiffRequest } from '../../shared/proto/gen/jvs/agent/v1/DiffRequest.ts';
import type { ForkRequest } from '../../shared/proto/gen/jvs/agent/v1/ForkRequest.ts';
import type { ListSnapshotsRequest } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsRequest.ts';
import type { ListSnapshotsResponseInput } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsResponse.ts';
import type { PlanRetentionResponseInput } from '../../shared/proto/gen/jvs/agent/v1/PlanRetentionResponse.ts';
import type { RestoreInPlaceRequest } from '../../shared/proto/gen/jvs/agent/v1/RestoreInPlaceRequest.ts';
import type { RestoreInPlaceResponseInput } from '../../shared/proto/gen/jvs/agent/v1/RestoreInPlaceResponse.ts';
import type { SnapshotInput } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { StatusInput } from '../../shared/proto/gen/jvs/agent/v1/Status.ts';
import type { VerifyResponseInput } from '../../shared/proto/gen/jvs/agent/v1/VerifyResponse.ts';
import type { WorktreeInput } from '../../shared/proto/gen/jvs/agent/v1/Worktree.ts';
import { Exclusive } from '../exclusive.ts';
import type { Executor } from '../executor/executor.ts';
import type { Descriptor, Difference } from '../repository/repository.ts';
import { isReservedTag, toSnapshot, toWorktree } from '../snapshot.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Volume } from '../volume/volume.ts';
import { ApiError } from './errors.ts';
import { RateLimiter } from './limiter.ts';
import { pageOf } from './page.ts';

/** A checkpoint every few seconds is a workload's right; a loop of them would fill the volume. So would forks. */
const ownOperations = { burst: 10, intervalMs: 10_000 };
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
    this.#limiter = new RateLimiter({ ...ownOperations, now: this.#now() });
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
    this.#limit();
    const options = { worktree: worktree || 'main', note: note || undefined, tags };
    return toSnapshot(await this.#options.executor.create(options, signal));
  }

  /** @throws ApiError, VolumeUnavailable, RepositoryError */
  diff(request: DiffRequest, signal: AbortSignal): AsyncIterable<Difference> {
    const { to, worktree } = request;
    if (to && worktree) {
      throw new ApiError(status.INVALID_ARGUMENT, 'worktree: leave it empty where `to` names a snapshot');
    }
    return this.#options.volume.repository.diff({
      from: snapshotId(request.from, 'from'),
      to: to ? { snapshotId: snapshotId(to, 'to') } : { worktree: worktree || 'main' },
      signal,
    });
  }

  async restore(request: RestoreInPlaceRequest, signal: AbortSignal): Promise<RestoreInPlaceResponseInput> {
    const id = snapshotId(request.id);
    const worktree = request.worktree || 'main';
    this.#limit();
    const preRestoreSnapshotId = await this.#options.executor.restore(id, worktree, signal);
    return { id, worktree, preRestoreSnapshotId };
  }

  async fork(request: ForkRequest, signal: AbortSignal): Promise<WorktreeInput> {
    const id = snapshotId(request.id);
    if (!request.worktree) {
      throw new ApiError(status.INVALID_ARGUMENT, 'worktree: give the new worktree a name');
    }
    this.#limit();
    return toWorktree(await this.#options.executor.fork(id, request.worktree, signal));
  }

  async planRetention(): Promise<PlanRetentionResponseInput> {
    const { volume, upkeep } = this.#options;
    await volume.refresh();
    const { decisions, held } = await upkeep.plan();
    return { decisions, deleteCount: decisions.filter(({ keep }) => !keep).length, held: held > 0 };
  }

  #limit(): void {
    const wait = this.#limiter.take(this.#now());
    if (wait === 0) return;
    throw new ApiError(
      status.RESOURCE_EXHAUSTED,
      `Snapshots, restores and forks by this pod are limited to one every ${ownOperations.intervalMs / 1000} s after a burst of ` +
        `${ownOperations.burst}: try again in ${Math.ceil(wait / 1000)} s`,
    );
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
function snapshotId(id: string, field = 'id'): string {
  if (/^\d{13}-[0-9a-f]{8}$/.test(id)) return id;
  throw new ApiError(
    status.INVALID_ARGUMENT,
    `${field}: ${JSON.stringify(id)} is no snapshot id; they look like 1795507921120-0badcafe, ListSnapshots names them`,
  );
}
