import type { EngineName, Implementation, WorktreeRepository } from '../repository.ts';
import { differences } from './differ.ts';
import { checkSnapshotId } from './format/names.ts';
import { Lane } from './lane.ts';
import { Layout } from './layout.ts';
import { getSnapshot, headOf, listSnapshots, listWorktrees, volumeUsage } from './reader.ts';
import type { RepairLog } from './repair.ts';

export interface NativeOptions {
  /** Root of the volume: `.jvs/`, `main/` and `worktrees/` are in it. */
  volume: string;
  engine: EngineName;
  /** Pod or host name; it stands in the lease, for people. */
  holder: string;
  /** Of a volume without a repository, and who takes the snapshots in one of jvs 8. */
  implementation?: Implementation;
  /** Path of the jvs binary, where one is needed. */
  binary?: string;
  log?: RepairLog;
}

/**
 * The JVS 8.x format in TypeScript. Listing runs here; what reads or copies files runs in a process of its own,
 * and verifying in another one, so that neither waits for the other.
 */
export function openNative(options: NativeOptions): WorktreeRepository {
  const layout = Layout.of(options.volume, options.implementation);
  const writing = new Lane(options);
  const reading = new Lane(options);
  return {
    open: (signal) => writing.call('open', undefined, { signal }),
    snapshot: ({ signal, onProgress, ...request }) =>
      writing.call('snapshot', request, { signal, onProgress }),
    list: () => listSnapshots(layout),
    get: (id) => getSnapshot(layout, id),
    head: (worktree) => headOf(layout, worktree),
    worktrees: () => listWorktrees(layout),
    restore: ({ signal, onProgress, ...request }) => writing.call('restore', request, { signal, onProgress }),
    fork: ({ signal, onProgress, ...request }) => writing.call('fork', request, { signal, onProgress }),
    delete: async (id, { signal, evenHeads } = {}) =>
      writing.call('delete', { id: checkSnapshotId(id), evenHeads: evenHeads === true }, { signal }),
    removeWorktree: (name, signal) => writing.call('removeWorktree', name, { signal }),
    diff: (request) => differences(options, request),
    verify: async (id, options) => reading.call('verify', checkSnapshotId(id), options),
    usage: () => volumeUsage(layout),
    close: async () => {
      await Promise.all([writing[Symbol.asyncDispose](), reading[Symbol.asyncDispose]()]);
    },
  };
}
