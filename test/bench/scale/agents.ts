// Simulated agents, in processes of their own: real gRPC over TLS, no disk. Driven by their parent, see fleet.ts.
import { createHash, randomUUID } from 'node:crypto';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelCredentials, type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';
import { backoffMs, delayMs } from '../../../shared/backoff.ts';
import type { SnapshotInput } from '../../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentMessageInput } from '../../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { OperatorMessage } from '../../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import { loadLink } from '../../../shared/proto/load.ts';
import type { Command, Report } from './fleet.ts';

const pageSize = 200;
/** These as the real agent's: agent/link/client.ts and session.ts. */
const retry = { baseMs: 1000, capMs: 15_000 };
const keepalive = { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 10_000 };
const patience = { baseMs: 20_000, capMs: 80_000 };

class Agent {
  readonly #member: Command['members'][number];
  readonly #disk: SnapshotInput[] = [];
  readonly #made = new Set<string>();
  readonly #session = randomUUID();
  #call: ClientDuplexStream<AgentMessageInput, OperatorMessage> | undefined;
  connected = false;
  /** The next attempt waits for nothing. */
  hurry = false;

  constructor(member: Command['members'][number], snapshots: number) {
    this.#member = member;
    for (let i = 0; i < snapshots; i++) this.#take(`automatic ${i}`, 'auto', '');
  }

  async run({ port, spreadMs }: Command, trust: ChannelCredentials): Promise<never> {
    await sleep(Math.random() * spreadMs);
    let silences = 0;
    for (let attempt = 0; ; attempt++) {
      const since = performance.now();
      silences = (await this.#connect(port, trust, delayMs(patience, silences))) ? 0 : silences + 1;
      this.connected = false;
      if (performance.now() - since > 5000) attempt = 0;
      if (!this.hurry) await sleep(backoffMs(retry, attempt));
      this.hurry = false;
    }
  }

  cut(): void {
    this.hurry = true;
    this.#call?.cancel();
  }

  /** Resolves when the stream has ended; false when it was given up without a Welcome. */
  async #connect(port: number, trust: ChannelCredentials, welcomeTimeoutMs: number): Promise<boolean> {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${this.#member.token}`);
    const stub = new (loadLink().Link)(`localhost:${port}`, trust, {
      ...keepalive,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
    });
    const call = stub.Connect(metadata);
    this.#call = call;
    let heartbeat: NodeJS.Timeout | undefined;
    call.on('error', () => {}); // `status` says it too
    let silent = false;
    const silence = setTimeout(() => {
      silent = true;
      call.cancel();
    }, welcomeTimeoutMs);
    call.on('data', ({ welcome, desired }: OperatorMessage) => {
      if (welcome) {
        clearTimeout(silence);
        this.connected = true;
        welcomes.push({ workspace: this.#member.workspace, at: Date.now() });
        heartbeat = setInterval(() => call.write(this.#status()), welcome.heartbeatSeconds * 1000);
      }
      for (const { uid, note } of desired?.snapshots ?? []) {
        if (this.#made.has(uid)) continue;
        call.write({ snapshot: this.#take(note, 'manual', uid) });
        call.write(this.#status());
      }
    });
    const { workspace, pod } = this.#member;
    call.write({ hello: { version: '0.1.0', workspace, pod, node: 'node', session: this.#session } });
    for (let at = 0; at < Math.max(1, this.#disk.length); at += pageSize) {
      const snapshots = this.#disk.slice(at, at + pageSize);
      call.write({ inventory: { snapshots, last: at + pageSize >= this.#disk.length } });
    }
    call.write(this.#status());
    await new Promise((resolve) => call.once('status', resolve));
    clearTimeout(silence);
    clearInterval(heartbeat);
    stub.close();
    return !silent;
  }

  #take(note: string, origin: string, requestUid: string): SnapshotInput {
    const at = Date.UTC(2026, 0, 1) + this.#disk.length * 60_000;
    const hash = createHash('sha256').update(`${this.#member.pod} ${this.#disk.length}`).digest('hex');
    const time = { seconds: Math.floor(at / 1000), nanos: 0 };
    const snapshot: SnapshotInput = {
      id: `${at}-${hash.slice(0, 8)}`,
      parentId: this.#disk.at(-1)?.id ?? '',
      ...{ worktree: 'main', engine: 'copy', effectiveEngine: 'copy', note, origin, requestUid },
      ...{ createdAt: time, completedAt: time, tags: requestUid ? [`k8s-${requestUid}`] : ['auto'] },
      ...{ payloadRootHash: hash, descriptorChecksum: hash, integrity: 'INTEGRITY_VERIFIED' },
      ...{ sizeBytes: 1_000_000, uniqueBytes: 10_000, fileCount: 100 },
    };
    this.#disk.push(snapshot);
    if (requestUid) this.#made.add(requestUid);
    return snapshot;
  }

  #status(): AgentMessageInput {
    return {
      status: {
        repositoryId: `repository-${this.#member.pod}`,
        currentSnapshotId: this.#disk.at(-1)?.id ?? '',
        ...{ effectiveEngine: 'copy', filesystem: 'ext4', snapshotCount: this.#disk.length },
        usage: { capacityBytes: 10 * 2 ** 30, usedBytes: 2 ** 30 },
        worktrees: [{ name: 'main', headSnapshotId: this.#disk.at(-1)?.id ?? '' }],
      },
    };
  }
}

// In a cluster they are on other nodes: here, where they are most processes, they shall not have most of the processor.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
let agents: Agent[] = [];
let welcomes: Report['welcomes'] = [];
process.on('message', (command: Command | 'cut') => {
  if (command === 'cut') for (const agent of agents) agent.cut();
  else {
    agents = command.members.map((member) => new Agent(member, command.snapshots));
    const trust = credentials.createSsl(Buffer.from(command.ca));
    for (const agent of agents) void agent.run(command, trust);
  }
});
process.on('disconnect', () => process.exit());
setInterval(() => {
  const report: Report = { connected: agents.filter(({ connected }) => connected).length, welcomes };
  welcomes = [];
  process.send?.(report);
}, 50);
