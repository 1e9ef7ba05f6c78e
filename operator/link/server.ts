// The operator's end of the link: gRPC over TLS, for agents that dial in. Only the leader has it started.
import { Server, type ServerOptions, status } from '@grpc/grpc-js';
import { bindAll } from '../../shared/bind.ts';
import type { Logger } from '../../shared/log.ts';
import { loadLink } from '../../shared/proto/load.ts';
import type { CertificateSource } from '../certs/source.ts';
import type { Agents } from './agents.ts';
import { Authenticator, type PodSource, type ReviewToken } from './auth.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Call, Connection, type Received } from './connection.ts';
import { serverCredentials } from './credentials.ts';
import { refusal } from './refusal.ts';
import { Registry } from './registry.ts';

export interface LinkOptions {
  readonly certificates: CertificateSource;
  readonly reviewToken: ReviewToken;
  readonly pods: PodSource;
  readonly log: Logger;
  /** Of the operator; agents are told. */
  readonly version: string;
  /** 8443 when absent; any free one for 0. */
  readonly port?: number;
  readonly clock?: Clock;
  readonly helloTimeoutMs?: number;
}

const MESSAGE_BYTES = 4 * 1024 * 1024;
const TICK_MS = 5_000;
const STOP_MS = 2_000;

const serverOptions: ServerOptions = {
  'grpc.max_receive_message_length': MESSAGE_BYTES,
  'grpc.max_send_message_length': MESSAGE_BYTES,
  // One is needed; a second while the first is being given up.
  'grpc.max_concurrent_streams': 4,
  // A peer that vanished without a word is noticed within 40 s, and its connection freed.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_connection_idle_ms': 60_000,
  // Every agent shows its token again about once an hour; grpc-js spreads the age by a tenth each way.
  'grpc.max_connection_age_ms': 3_600_000,
  'grpc.max_connection_age_grace_ms': 10_000,
  'grpc.enable_channelz': 0,
};

export class LinkServer {
  readonly #options: LinkOptions;
  readonly #registry: Registry;
  readonly #authenticator: Authenticator;
  readonly #credentials: ReturnType<typeof serverCredentials>;
  readonly #connections = new Set<Connection>();
  #running:
    | { server: Server; address: string; port: number; timer: NodeJS.Timeout; stop: AbortController }
    | undefined;

  constructor(options: LinkOptions) {
    const { certificates, reviewToken, pods, log, clock = systemClock } = options;
    this.#options = options;
    this.#registry = new Registry(log, clock);
    this.#authenticator = new Authenticator(reviewToken, pods, log, clock);
    this.#credentials = serverCredentials(certificates, log);
    pods.onChange((namespace, name, pod) => {
      this.#recheck({ namespace, name });
      if (pod?.metadata.deletionTimestamp) this.#retire({ namespace, name }, pod.metadata.uid);
    });
  }

  get agents(): Agents {
    return this.#registry;
  }

  /** While it runs. */
  get port(): number | undefined {
    return this.#running?.port;
  }

  stats(): { agents: number; workspaces: number } {
    return this.#registry.stats();
  }

  /** Accepts agents from now on. Rejects when the port can not be had. */
  async start(): Promise<void> {
    if (this.#running) throw new Error('the link is running already');
    const server = new Server(serverOptions);
    server.addService(service(), { Connect: (call: Call) => this.#accept(call) });
    const { port = 8443 } = this.#options;
    const { address, bound } = await bindAll(server, port, this.#credentials);
    const timer = setInterval(() => {
      this.#registry.tick();
      this.#recheck();
    }, TICK_MS);
    this.#running = { server, address, port: bound, timer, stop: new AbortController() };
    this.#registry.open();
    this.#options.log.info({ port: bound }, 'the link accepts agents');
  }

  /** Hangs up on all agents, so that they look for the new leader, and closes the port. Nothing is known of them then. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    clearInterval(running.timer);
    running.stop.abort();
    const reason = refusal(status.UNAVAILABLE, 'This operator is no longer the leader; connect again.');
    for (const connection of this.#connections) connection.end(reason);
    this.#registry.clear(reason);
    const closed = new Promise<void>((resolve) => running.server.tryShutdown(() => resolve()));
    running.server.drain(running.address, STOP_MS / 2);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_MS);
    await Promise.race([closed, late]);
    clearTimeout(timer);
    this.#options.log.info('the link is closed');
  }

  #accept(call: Call): void {
    const { log, version, helloTimeoutMs = 10_000 } = this.#options;
    const connection = new Connection(call, {
      authenticator: this.#authenticator,
      registry: this.#registry,
      log,
      version,
      helloTimeoutMs,
    });
    if (!this.#running) {
      connection.end(refusal(status.UNAVAILABLE, 'This operator is not the leader; connect again.'));
      return;
    }
    this.#connections.add(connection);
    connection.signal.addEventListener('abort', () => this.#connections.delete(connection), { once: true });
    void connection.serve();
  }

  #retire(pod: { namespace: string; name: string }, uid: string | undefined): void {
    for (const session of this.#registry.sessions(pod)) {
      if (session.identity.pod.uid === uid) this.#registry.retire(session);
    }
  }

  /** Ends the streams of pods that may not speak for their workspace any more. */
  #recheck(pod?: { namespace: string; name: string }): void {
    const signal = this.#running?.stop.signal;
    if (!signal) return;
    for (const session of this.#registry.sessions(pod)) {
      this.#authenticator.recheck(session.identity, signal).then((reason) => {
        if (reason) this.#registry.end(session, reason);
      });
    }
  }
}

/** The service of the contract, with the size of every message beside it. */
function service() {
  const { Connect } = loadLink().Link.service;
  return {
    Connect: {
      ...Connect,
      requestDeserialize: (bytes: Buffer): Received => ({
        message: Connect.requestDeserialize(bytes),
        size: bytes.length,
      }),
    },
  };
}
