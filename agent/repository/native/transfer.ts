// What is sent of a snapshot to another volume: its entries in the order of one walk, which is the same every time,
// so that it can be taken up anywhere. First all that is in directories, then what directories have beside that,
// from the bottom up: until then they can be written to.

import type { GivenMetadata } from './fs/directory.ts';

/** How far a walk is: the entry at hand, and how much of its content is dealt with. */
export interface Position {
  /** Index in the walk. */
  readonly entry: number;
  /** Bytes; 0 also where the entry itself is still to come. */
  readonly offset: number;
}

export const start: Position = { entry: 0, offset: 0 };

/** Paths are below the snapshot's root, latin1 as everywhere (see format/payload.ts). */
export type TransferEntry =
  | { kind: 'dir'; path: string }
  | ({ kind: 'file'; path: string; size: number; sparse: boolean } & GivenMetadata)
  | ({ kind: 'symlink'; path: string; target: Buffer } & Omit<GivenMetadata, 'mode' | 'attributes'>)
  /** `first` is the path under which its content was sent. */
  | { kind: 'link'; path: string; first: string }
  /** The root's path is empty. */
  | ({ kind: 'leave'; path: string } & GivenMetadata);

/** `data` belongs to the file that is the last entry before it; what no data is sent for is zeros. */
export type TransferItem = { entry: TransferEntry } | { data: { offset: number; bytes: Buffer } };
