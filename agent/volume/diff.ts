import type { Descriptor } from '../repository/repository.ts';

export interface Difference {
  /** New, or no longer what they were. */
  changed: Descriptor[];
  removed: string[];
}

export function diff(before: readonly Descriptor[], now: readonly Descriptor[]): Difference {
  if (before === now) return { changed: [], removed: [] };
  const known = new Map(before.map((descriptor) => [descriptor.snapshot_id, descriptor]));
  const changed = now.filter((descriptor) => {
    const old = known.get(descriptor.snapshot_id);
    known.delete(descriptor.snapshot_id);
    return (
      old?.descriptor_checksum !== descriptor.descriptor_checksum ||
      old.integrity_state !== descriptor.integrity_state
    );
  });
  return { changed, removed: [...known.keys()] };
}
