// Of the objects of the API, what the plugin reads. Every part of a status may be missing, and older operators have
// fewer.

export interface KubeObject {
  metadata: {
    name: string;
    namespace?: string;
    resourceVersion?: string;
    creationTimestamp?: string;
  };
}

export interface KubeList<T> {
  items: T[];
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface Progress {
  bytesDone?: number;
  bytesTotal?: number;
}

export interface Worktree {
  name: string;
  base?: string;
  head?: string;
  latest?: string;
}

export interface Workspace extends KubeObject {
  spec: { storage?: string; replicas?: number };
  status?: {
    phase?: string;
    message?: string;
    snapshotCount?: number;
    lastSnapshotTime?: string;
    nextSnapshotTime?: string;
    effectiveEngine?: string;
    usedBytes?: number;
    capacityBytes?: number;
    agent?: { pod?: string; node?: string; version?: string; lastSeen?: string };
    worktrees?: Worktree[];
    conditions?: Condition[];
  };
}

export interface Snapshot extends KubeObject {
  spec: {
    workspace: string;
    note?: string;
    tags?: string[];
    worktree?: string;
    pinned?: boolean;
    snapshotID?: string;
  };
  status?: {
    phase?: string;
    message?: string;
    snapshotID?: string;
    parentID?: string;
    createdAt?: string;
    size?: number;
    uniqueBytes?: number;
    integrityState?: string;
    consistency?: string;
    origin?: string;
    progress?: Progress;
    keepReasons?: string[];
  };
}

export interface Restore extends KubeObject {
  spec: { workspace: string };
  status?: {
    phase?: string;
    message?: string;
    snapshotID?: string;
    worktree?: string;
    preRestoreSnapshotID?: string;
    progress?: Progress;
  };
}

export interface Pod extends KubeObject {
  status?: { phase?: string };
}
