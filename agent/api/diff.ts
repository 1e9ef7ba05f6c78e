import { once } from 'node:events';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { DiffEntryInput } from '../../shared/proto/gen/jvs/agent/v1/DiffEntry.ts';
import type { DiffRequest } from '../../shared/proto/gen/jvs/agent/v1/DiffRequest.ts';
import type { Change, Difference } from '../repository/repository.ts';
import { ApiError, toServiceError } from './errors.ts';

/** They read whole trees, each in a process of its own. */
const mostComparing = 4;

const changes = {
  added: 'CHANGE_ADDED',
  removed: 'CHANGE_REMOVED',
  modified: 'CHANGE_MODIFIED',
} as const satisfies Record<Difference['how'], DiffEntryInput['change']>;

const types = { dir: 'directory', file: 'file', symlink: 'symlink' } as const satisfies Record<
  Change['type'],
  string
>;

/** Of calls of Diff: what `compare` finds is sent as fast as the caller reads, until it hangs up. */
export function diffHandler(
  compare: (request: DiffRequest, signal: AbortSignal) => AsyncIterable<Difference>,
): (call: ServerWritableStream<DiffRequest, DiffEntryInput>) => Promise<void> {
  let comparing = 0;
  return async (call) => {
    const controller = new AbortController();
    const { signal } = controller;
    call.once('cancelled', () => controller.abort());
    comparing++;
    try {
      if (comparing > mostComparing) {
        throw new ApiError(status.RESOURCE_EXHAUSTED, 'Other calls of Diff are running: try again later');
      }
      for await (const difference of compare(call.request, signal)) {
        if (!call.write(toEntry(difference))) await once(call, 'drain', { signal });
      }
      call.end();
    } catch (error) {
      const { code, details } = toServiceError(error);
      if (!signal.aborted) call.emit('error', { code, details });
    } finally {
      comparing--;
    }
  };
}

function toEntry({ how, change }: Difference): DiffEntryInput {
  const { path, type, size = 0, old_size } = change;
  return {
    change: changes[how],
    path,
    type: types[type],
    sizeBefore: how === 'removed' ? size : (old_size ?? 0),
    sizeAfter: how === 'removed' ? 0 : size,
  };
}
