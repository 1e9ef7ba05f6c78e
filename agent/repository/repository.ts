// The repository engine's interface: what the agent needs of a JVS repository on a volume, whoever implements it.

/** Clocks of two nodes that use a volume differ by less. Milliseconds. */
export const CLOCK_SKEW_MS = 300_000;

/** A snapshot's descriptor, with the on-disk field names of JVS 8.x (`.jvs/descriptors/<id>.json`). */
export interface Descriptor {
  snapshot_id: string;
  parent_id?: string;
  worktree_name: string;
  /** RFC 3339, UTC, up to nanoseconds, trailing zeros trimmed. */
  created_at: string;
  note?: string;
  tags?: string[];
  /** The engine that was asked for; `agent.effective_engine` says which one ran. */
  engine: EngineName;
  /** Hex SHA-256 over the sorted entry lines of the payload. */
  payload_root_hash: string;
  /** Hex SHA-256 over the canonical descriptor. */
  descriptor_checksum: string;
  integrity_state: string;
  partial_paths?: string[];
  compression?: { type: string; level: number };
  /** Our extension: not covered by the checksum, ignored by the jvs binary, absent on snapshots that it made. */
  agent?: AgentExtension;
}

export interface AgentExtension {
  completed_at: string;
  effective_engine: EngineName;
  origin: Origin;
  consistency: 'quiesced' | 'crash-consistent' | 'changed-during-copy';
  /** Sum of the sizes of the payload's regular files, bytes. */
  size: number;
  /** Bytes written for this snapshot, not shared with its parent. */
  unique_bytes: number;
  /** Entries of every type in the payload, its root excluded. */
  entries: number;
  /** Entries beyond the first that name a file of the payload once more. */
  hard_links?: number;
  /** Bytes that its files take without compression, holes left out; of compressed snapshots only, not of older ones. */
  restored_bytes?: number;
  /** Entries that a snapshot does not hold, by type; absent types are zero. */
  skipped?: { fifo?: number; socket?: number; device?: number };
}

export interface Compression {
  type: 'gzip' | 'zstd';
  /** 0 to 9. */
  level: number;
}

/** Whose code keeps the repository; one of jvs 0.4 is recognised whatever is asked for. */
export type Implementation = 'native' | 'jvs-8' | 'jvs-0.4';
export type EngineName = 'copy' | 'reflink-copy' | 'juicefs-clone';
export type Origin = 'manual' | 'auto' | 'self' | 'discovered' | 'pre-restore' | 'final';

export interface RepositoryInfo {
  repositoryId: string;
  formatVersion: number;
  /** Filesystem type of the volume, as in /proc/self/mounts: ext4, xfs, btrfs, fuse.juicefs, … */
  filesystem: string;
  engine: EngineName;
  /** What the volume can do, found by trying. */
  effectiveEngine: EngineName;
  /** Why `effectiveEngine` is not `engine`, for a person. */
  fallback?: string;
  /** Why what a crash left could not be put right. Until it is, everything can be read, and nothing be changed. */
  unrepaired?: { reason: RepositoryErrorReason; message: string };
}

export interface SnapshotOptions {
  worktree: string;
  note?: string;
  tags?: readonly string[];
  engine?: EngineName;
  origin: Origin;
  /** Makes the call idempotent: a snapshot that carries this tag is returned instead of made again. */
  requestTag?: string;
  /** Only these, below the worktree's root, as in `data/models`; restored in place, it replaces only these. */
  paths?: readonly string[];
  /** Files are stored compressed: smaller, but nothing is shared with other snapshots. */
  compression?: Compression;
  /** Refuse with `ParentMismatch` unless the worktree's head is this snapshot. */
  expectedParent?: string;
  /**
   * Where every path, mode and content is as in the worktree's head, nothing is made and the head is returned: it does
   * not carry `requestTag`. A jvs binary always makes one.
   */
  unlessUnchanged?: boolean;
  /** Nothing wrote to the worktree meanwhile, as far as the caller can tell: said so, unless files changed all the same. */
  quiesced?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

export interface RestoreOptions {
  snapshotId: string;
  /**
   * Replaced in place: its root directory keeps its inode. What is not in any snapshot is lost. A partial snapshot
   * replaces its paths and nothing else, and the head stays.
   */
  worktree: string;
  /** Makes the call idempotent: a restore that was done for this tag is not done again. */
  requestTag?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

export interface ForkOptions {
  snapshotId: string;
  /** Of the new worktree, `worktrees/<name>` on the volume. */
  name: string;
  /** Makes the call idempotent, as in `RestoreOptions`. */
  requestTag?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** What `doctor` found. */
export interface Finding {
  category: 'debris' | 'worktree' | 'snapshot' | 'integrity' | 'lineage' | 'audit';
  severity: 'critical' | 'error' | 'warning';
  description: string;
  path: string;
  repaired: boolean;
}

/** `.jvs/worktrees/<name>/config.json`. */
export interface Worktree {
  name: string;
  /** What it was forked from. */
  base_snapshot_id?: string;
  /** What its files came from; the parent of its next snapshot. */
  head_snapshot_id?: string;
  /** Its newest snapshot; another one than the head after an older one was restored. */
  latest_snapshot_id?: string;
  created_at: string;
}

export interface Progress {
  bytesDone: number;
  /** 0 while it is not known. */
  bytesTotal: number;
  filesDone: number;
}

/** An entry of a tree, as it is or, where it was removed, as it was. */
export interface Change {
  /** Below the tree's root; bytes that are no UTF-8 are replaced. */
  path: string;
  type: 'dir' | 'file' | 'symlink';
  /** Permission bits, octal. */
  mode: string;
  /** Of a file, bytes. */
  size?: number;
  /** Of a file that was modified: before. */
  old_size?: number;
}

export interface Difference {
  how: 'added' | 'removed' | 'modified';
  change: Change;
}

export interface DiffOptions {
  from: string;
  /** Another snapshot, or a worktree as it is now. */
  to: { snapshotId: string } | { worktree: string };
  signal?: AbortSignal;
}

export interface DeleteOptions {
  /**
   * Deletes it even where a worktree needs it: its head, base and latest become the snapshot's parent, or none. The
   * worktree's files stay as they are.
   */
  evenHeads?: boolean;
  signal?: AbortSignal;
}

export interface VerifyOptions {
  signal?: AbortSignal;
  /** Reads no faster than this on average; as fast as it can without. */
  bytesPerSecond?: number;
}

export interface Verification {
  snapshotId: string;
  descriptorValid: boolean;
  payloadValid: boolean;
  /** What does not hold; absent when both are valid. */
  error?: string;
}

export interface Repository {
  /**
   * Opens the volume's repository and makes one where there is none; never re-initialises an existing one.
   * Repairs what a crash left behind, under the lease, or says why it can not.
   * @throws RepositoryError ForeignRepository, UnsupportedFormat, VolumeFull, ReadOnlyVolume
   */
  open(signal?: AbortSignal): Promise<RepositoryInfo>;
  /** Durable and published when it returns. @throws RepositoryError */
  snapshot(options: SnapshotOptions): Promise<Descriptor>;
  /** Every listed snapshot (directory and parsable descriptor), newest first. */
  list(): Promise<Descriptor[]>;
  /** @throws RepositoryError NotFound */
  get(id: string): Promise<Descriptor>;
  /** The id of a worktree's head; undefined before its first snapshot. @throws RepositoryError NotFound */
  head(worktree: string): Promise<string | undefined>;
  /** Hashes descriptor and payload again. @throws RepositoryError NotFound, DamagedRepository */
  verify(id: string, options?: VerifyOptions): Promise<Verification>;
  /** Bytes of the volume's filesystem. */
  usage(): Promise<{ usedBytes: number; capacityBytes: number }>;
  close(): Promise<void>;
}

/** A repository whose worktrees and history can be changed too. */
export interface WorktreeRepository extends Repository {
  worktrees(): Promise<Worktree[]>;
  /**
   * Killed anywhere, the worktree has its old tree or gets the whole new one when the repository is next opened.
   * A snapshot that does not match its hash is not restored. Errors leave the worktree as it was.
   * @throws RepositoryError NotFound, DamagedRepository, VolumeFull with the bytes needed and available
   */
  restore(options: RestoreOptions): Promise<void>;
  /**
   * A new worktree with the snapshot's files; it appears as a whole.
   * @throws RepositoryError NotFound, InvalidArgument where the name is taken, and as `restore`
   */
  fork(options: ForkOptions): Promise<void>;
  /**
   * Its children become children of its parent. Begun, it is finished, by the next writer after a crash.
   * @throws RepositoryError NotFound; InvalidArgument where it is a worktree's head or base, without `evenHeads`
   */
  delete(id: string, options?: DeleteOptions): Promise<void>;
  /**
   * Removes a worktree and its files; its snapshots stay. Begun, it is finished, by the next writer after a crash.
   * @throws RepositoryError NotFound, InvalidArgument for main, which is never removed
   */
  removeWorktree(name: string, signal?: AbortSignal): Promise<void>;
  /**
   * What differs, in byte order of the paths, those of directories as if they ended in a slash. Waits while nobody
   * takes what it has found. @throws RepositoryError NotFound, DamagedRepository
   */
  diff(options: DiffOptions): AsyncIterable<Difference>;
}

/** `reason` is CamelCase, for conditions; `message` says what to do; `transient` means that a retry can succeed. */
export type RepositoryErrorReason =
  | 'NotFound'
  | 'InvalidArgument'
  | 'ParentMismatch'
  | 'ForeignRepository' // `.jvs` is there and is no repository of ours
  | 'UnsupportedFormat' // a newer format_version, or one that needs another binary
  | 'DamagedRepository'
  | 'Unsupported' // this implementation can not do it
  | 'Busy' // another writer holds the lease
  | 'VolumeFull'
  | 'ReadOnlyVolume'
  | 'PermissionDenied'
  | 'Aborted'
  | 'Internal';

export class RepositoryError extends Error {
  override readonly name = 'RepositoryError';
  readonly reason: RepositoryErrorReason;

  constructor(reason: RepositoryErrorReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }

  get transient(): boolean {
    return this.reason === 'Busy' || this.reason === 'VolumeFull' || this.reason === 'Internal';
  }
}
