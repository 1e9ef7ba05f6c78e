// The agent's end of the link: dials the operator, stays connected, and tells what changed on the volume.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, Metadata, status } from '@grpc/grpc-js';
import { type Backoff, backoffMs, delayMs } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { HelloInput } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { LinkClient as Stub } from '../../shared/proto/gen/jvs/link/v1/Link.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { version } from '../../shared/version.ts';
import type { Config } from '../config.ts';
import type { Events } from '../events.ts';
import type { Executor } from '../executor/executor.ts';
import type { Exporter } from '../transfer/exporter.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Volume } from '../volume/volume.ts';
import { type Ending, Session } from './session.ts';

export interface LinkState {
  readonly connected: boolean;
  /** Why there is no stream, and what to do; empty while there is one. */
  readonly problem: string;
}

export interface LinkOptions {
  config: Pick<Config, 'workspace' | 'pod' | 'node' | 'link-token-file' | 'link-ca-file'>;
  /** host:port of the operator; the certificate must be for the host. */
  address: string;
  volume: Volume;
  executor: Executor;
  upkeep: Upkeep;
  /** Of snapshots, for agents of other workspaces. */
  exporter?: Exporter;
  events: Events;
  log: Logger;
  /** Of the waits between attempts, milliseconds. */
  retry?: Backoff;
  /** How long an operator may take to say Welcome, milliseconds: longer after each attempt that was given up for that. */
  patience?: Backoff;
}

/** Codes that another attempt a second later will not change. */
const slow = new Set([
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.NOT_FOUND,
]);
const slowness = 4;
/** A stream that lasted this long shows that the operator is well: the next attempt need not wait long. */
const stableMs = 5000;

const channelOptions = {
  // Above the operator's minimum, and soon enough to notice a node that vanished.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  // Every attempt has its own channel, with the certificates of that moment; this file does the retrying.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // A proxy for the workload's traffic is no way to the operator.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

export class LinkClient {
  readonly #options: LinkOptions & Required<Pick<LinkOptions, 'retry' | 'patience'>>;
  readonly #hello: HelloInput;
  #state: LinkState = { connected: false, problem: 'The operator has not been reached yet' };

  constructor(options: LinkOptions) {
    this.#options = {
      retry: { baseMs: 1000, capMs: 15_000 },
      // The first is soon over: a process that is stopped takes connections and says nothing. Who always gave up so soon
      // would, among thousands of agents, never be there when its turn comes, and be work for nothing to the operator.
      patience: { baseMs: 20_000, capMs: 80_000 },
      ...options,
    };
    const { workspace, pod, node } = options.config;
    this.#hello = { version, workspace, pod, node, session: randomUUID() };
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Connects again and again until aborted; then hangs up properly, so that another agent can take over at once. */
  async run(signal: AbortSignal): Promise<void> {
    const { retry, patience } = this.#options;
    const { baseMs, capMs } = retry;
    let silences = 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const ending = await this.#connect(delayMs(patience, silences), signal);
      if (signal.aborted) break;
      silences = ending.code === status.DEADLINE_EXCEEDED ? silences + 1 : 0;
      this.#set({ connected: false, problem: this.#explain(ending) });
      if (ending.connectedMs >= stableMs) attempt = 0;
      const factor = slow.has(ending.code) ? slowness : 1;
      const wait = backoffMs({ baseMs: baseMs * factor, capMs: capMs * (factor > 1 ? 2 : 1) }, attempt);
      await sleep(wait, undefined, { signal }).catch(() => {}); // aborted: the loop ends
    }
    this.#set({ connected: false, problem: 'The agent is shutting down' });
  }

  async #connect(welcomeTimeoutMs: number, signal: AbortSignal): Promise<Ending> {
    const { config, address, volume, executor, upkeep, exporter, log } = this.#options;
    let stub: Stub | undefined;
    try {
      // Read at each attempt: the token is renewed hourly, and the CA may rotate or appear only later.
      const [ca, token] = await Promise.all([
        readFile(config['link-ca-file']),
        readFile(config['link-token-file'], 'utf8'),
      ]);
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token.trim()}`);
      stub = new (loadLink().Link)(address, credentials.createSsl(ca), channelOptions);
      const session = new Session(stub.Connect(metadata), {
        hello: { ...this.#hello, role: executor.role },
        volume,
        executor,
        upkeep,
        exporter,
        log,
        onWelcome: () => this.#set({ connected: true, problem: '' }),
        welcomeTimeoutMs,
      });
      return await session.run(signal);
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      return { code: status.FAILED_PRECONDITION, details, connectedMs: 0 };
    } finally {
      stub?.close();
    }
  }

  #explain({ code, details }: Ending): string {
    const { address, config } = this.#options;
    const where = `operator ${address}: ${status[code]}: ${details}`;
    if (details.includes('ENOENT')) {
      return `${where}. The operator provides the CA in ConfigMap jvs-operator-ca of this namespace: is it running?`;
    }
    if (/certificate|issuer|altname/i.test(details)) {
      return `${where}. The CA in ${config['link-ca-file']} is not the operator's (yet)`;
    }
    return where;
  }

  #set(state: LinkState): void {
    const before = this.#state;
    this.#state = state;
    if (before.connected === state.connected && before.problem === state.problem) return;
    const { log, events } = this.#options;
    if (state.connected) log.info('connected to the operator');
    else log.warn({ problem: state.problem }, 'not connected to the operator');
    events.publish({ link: { connected: state.connected, message: state.problem } });
  }
}
