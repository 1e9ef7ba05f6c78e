// What the controllers see of the agents that are connected, and what they ask of them.
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentStatus } from '../../shared/proto/gen/jvs/link/v1/AgentStatus.ts';
import type { DeletionInput } from '../../shared/proto/gen/jvs/link/v1/Deletion.ts';
import type { ExportInput } from '../../shared/proto/gen/jvs/link/v1/Export.ts';
import type { HooksInput } from '../../shared/proto/gen/jvs/link/v1/Hooks.ts';
import type { InitialInput } from '../../shared/proto/gen/jvs/link/v1/Initial.ts';
import type { Notice } from '../../shared/proto/gen/jvs/link/v1/Notice.ts';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import type { RestoreRequestInput } from '../../shared/proto/gen/jvs/link/v1/RestoreRequest.ts';
import type { RetentionInput } from '../../shared/proto/gen/jvs/link/v1/Retention.ts';
import type { ScheduleInput } from '../../shared/proto/gen/jvs/link/v1/Schedule.ts';
import type { SnapshotRemoved } from '../../shared/proto/gen/jvs/link/v1/SnapshotRemoved.ts';
import type { SnapshotRequestInput } from '../../shared/proto/gen/jvs/link/v1/SnapshotRequest.ts';

/** A connected agent. Replaced, never changed, when something about it changes. */
export interface ConnectedAgent {
  readonly pod: string;
  readonly node: string;
  readonly version: string;
  readonly session: string;
  readonly connectedAt: Date;
  readonly lastSeen: Date;
  readonly status?: AgentStatus;
  /** The whole inventory has arrived since it connected: only then does absence from `snapshots` mean anything. */
  readonly inventoryComplete: boolean;
  /** By snapshot id. */
  readonly snapshots: ReadonlyMap<string, Snapshot>;
  /** Ids of those that were made for a request, by its uid. */
  readonly byRequest: ReadonlyMap<string, string>;
  /** Latest word on requests that are not finished, by the request's uid. */
  readonly requests: ReadonlyMap<string, RequestUpdate>;
  /** Why snapshots are gone, by id, for those of which it said so; none of them is in `snapshots`. */
  readonly removed: ReadonlyMap<string, SnapshotRemoved>;
  /** What it wants people to hear of, by the notice's id. */
  readonly notices: ReadonlyMap<string, Notice>;
}

/** A request is known by its uid. */
export type Identified<T> = T & { uid: string };

/** All of a workspace that the operator wants of its agents; the role is added per agent. */
export interface Desired {
  engine: string;
  snapshots: Identified<SnapshotRequestInput>[];
  restores?: Identified<RestoreRequestInput>[];
  deletions?: Identified<DeletionInput>[];
  hooks?: HooksInput;
  finalSnapshot?: boolean;
  initial?: InitialInput;
  exports?: ExportInput[];
  schedule?: ScheduleInput;
  retention?: RetentionInput;
  /** Ids that retention must not delete. */
  pinned?: string[];
  allowMassPrune?: boolean;
}

/**
 * Once agents have been able to connect for so long, in milliseconds, those that run are back and have said what they
 * wait for.
 */
export const settleMs = 45_000;

/** `workspace` is `namespace/name` everywhere. */
export interface Agents {
  /** How long agents have been able to connect, in milliseconds; 0 while they are not. */
  openFor(): number;
  /** The one agent that changes the volume: the one connected longest; another only when it is gone. */
  primary(workspace: string): ConnectedAgent | undefined;
  connected(workspace: string): readonly ConnectedAgent[];
  /** Remembers it and sends it to every agent of the workspace, now and on reconnect; nothing is sent when nothing changed. */
  setDesired(workspace: string, desired: Desired): void;
  /** As it was last set; undefined before. */
  desiredOf(workspace: string): Desired | undefined;
  /** Forgets a deleted workspace and hangs up on its agents. */
  forget(workspace: string): void;
  /** Called after every change of an agent or of what is desired, with the uids of the requests it concerns. Handlers only enqueue. */
  onChange(handler: (workspace: string, requestUids: readonly string[]) => void): void;
}
