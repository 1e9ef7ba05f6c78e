// For tests: an agent without a stream, and what it would say of snapshots.
import { isDeepStrictEqual } from 'node:util';
import type { Snapshot as DiskSnapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import type { Agents, ConnectedAgent, Desired } from '../link/agents.ts';
import { Changes } from '../link/changes.ts';
import { quietLog } from '../link/testing.ts';

/** `n` orders snapshots by time. */
export const idAt = (n: number): string =>
  `${String(1_795_000_000_000 + n * 1000)}-${n.toString(16).padStart(8, '0')}`;

export function onDisk(n: number, more: Partial<DiskSnapshot> = {}): DiskSnapshot {
  const at = { seconds: 1_795_000_000 + n, nanos: 0 };
  return {
    id: idAt(n),
    parentId: n > 0 ? idAt(n - 1) : '',
    worktree: 'main',
    createdAt: at,
    completedAt: at,
    note: '',
    tags: [],
    engine: 'copy',
    effectiveEngine: 'copy',
    payloadRootHash: 'h',
    descriptorChecksum: 'c',
    integrity: 'INTEGRITY_VERIFIED',
    consistency: 'CONSISTENCY_CRASH_CONSISTENT',
    origin: 'auto',
    sizeBytes: 12,
    uniqueBytes: 3,
    fileCount: 1,
    skippedCount: 0,
    requestUid: '',
    keepReasons: [],
    verifiedAt: null,
    ...more,
  };
}

export const statusOf = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  repositoryId: 'r1',
  currentSnapshotId: '',
  effectiveEngine: 'copy',
  engineFallback: '',
  filesystem: 'ext4',
  usage: { usedBytes: 10, capacityBytes: 100 },
  problem: '',
  problemReason: '',
  snapshotCount: 0,
  nextSnapshotTime: null,
  scheduleReason: '',
  scheduleMessage: '',
  heldDeletions: 0,
  damaged: [],
  worktrees: [],
  transferCertificateSha256: '',
  awaitsInitial: false,
  ...more,
});

export function agentOf(
  snapshots: readonly DiskSnapshot[],
  more: Partial<ConnectedAgent> = {},
): ConnectedAgent {
  return {
    pod: 'pod',
    node: 'node',
    version: '0.1.0',
    session: 's',
    connectedAt: new Date(0),
    lastSeen: new Date(0),
    status: statusOf(),
    inventoryComplete: true,
    snapshots: new Map(snapshots.map((snapshot) => [snapshot.id, snapshot])),
    byRequest: new Map(snapshots.map(({ requestUid, id }) => [requestUid, id])),
    requests: new Map(),
    removed: new Map(),
    notices: new Map(),
    ...more,
  };
}

/** Agents as a test says they are. */
export class FakeAgents implements Agents {
  /** As if the link had come up long ago. */
  openForMs = 3_600_000;
  readonly desired = new Map<string, Desired>();
  readonly #agents = new Map<string, ConnectedAgent>();
  readonly #changes = new Changes(quietLog());

  set(workspace: string, agent: ConnectedAgent | undefined, requestUids: string[] = []): void {
    if (agent) this.#agents.set(workspace, agent);
    else this.#agents.delete(workspace);
    this.#changes.notify(workspace, requestUids);
  }

  openFor = () => this.openForMs;
  primary = (workspace: string) => this.#agents.get(workspace);
  connected = (workspace: string) => [this.primary(workspace)].filter((agent) => agent !== undefined);
  setDesired = (workspace: string, desired: Desired) => {
    if (isDeepStrictEqual(this.desired.get(workspace), desired)) return;
    this.desired.set(workspace, desired);
    this.#changes.notify(workspace);
  };
  desiredOf = (workspace: string) => this.desired.get(workspace);
  forget = (workspace: string) => void this.#agents.delete(workspace);
  onChange = (handler: Parameters<Agents['onChange']>[0]) => this.#changes.onChange(handler);
}
