import type { InventoryPageInput } from '../../shared/proto/gen/jvs/link/v1/InventoryPage.ts';
import type { Descriptor } from '../repository/repository.ts';
import { toSnapshot, wireSizeBound } from '../snapshot.ts';
import type { Notes } from '../upkeep/plan.ts';

// A stream holds up to 16 messages that the network has not taken yet.
const pageLimits = { snapshots: 500, bytes: 256 * 1024 };

/** All of `snapshots` (newest first) in pages, oldest first; made one by one, as the stream takes them. */
export function* inventoryPages(
  snapshots: readonly Descriptor[],
  notes: Notes,
  limits = pageLimits,
): Generator<InventoryPageInput, undefined> {
  const told = (descriptor: Descriptor) => toSnapshot(descriptor, notes.get(descriptor.snapshot_id));
  let page: Descriptor[] = [];
  let bytes = 0;
  for (let i = snapshots.length - 1; i >= 0; i--) {
    const descriptor = snapshots[i];
    if (!descriptor) continue;
    const size = wireSizeBound(descriptor, notes.get(descriptor.snapshot_id));
    if (page.length && (page.length >= limits.snapshots || bytes + size > limits.bytes)) {
      yield { snapshots: page.map(told), last: false };
      page = [];
      bytes = 0;
    }
    page.push(descriptor);
    bytes += size;
  }
  yield { snapshots: page.map(told), last: true };
}
