// An operator's end of the link, in process: real gRPC over real TLS, and as badly behaved as a test wants it.
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Snapshot } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentMessage } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { DesiredStateInput } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { OperatorMessageInput } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import type { RequestUpdate } from '../../shared/proto/gen/jvs/link/v1/RequestUpdate.ts';
import { loadLink } from '../../shared/proto/load.ts';
import type { Authority } from './tls.ts';

type Call = ServerDuplexStream<AgentMessage, OperatorMessageInput>;

/** What it has heard on one stream. */
export interface Heard {
  token: string;
  hello?: Hello;
  messages: AgentMessage[];
  inventory: Snapshot[];
  inventories: number;
  call: Call;
}

export class FakeOperator {
  readonly streams: Heard[] = [];
  desired: DesiredStateInput = { role: 'ROLE_PRIMARY', engine: 'copy', snapshots: [] };
  heartbeatSeconds = 20;
  /** It is slow: it takes so long to answer a Hello. */
  welcomeAfterMs = 0;
  /** Refuses every stream while set. */
  refuse: { code: status; details: string } | undefined;
  /** Breaks a stream, the how manieth (from 0) it is, once it has heard this many messages. */
  breakAfter: (stream: number) => number = () => Number.POSITIVE_INFINITY;
  readonly #authority: Authority;
  #server: Server | undefined;
  #port = 0;

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  get address(): string {
    return `localhost:${this.#port}`;
  }

  get latest(): Heard | undefined {
    return this.streams.at(-1);
  }

  /** Everything said about snapshots, on any stream, by id. */
  get snapshots(): Map<string, Snapshot> {
    const all = this.streams.flatMap(({ messages, inventory }) => [
      ...inventory,
      ...messages.flatMap(({ snapshot }) => snapshot ?? []),
    ]);
    return new Map(all.map((snapshot) => [snapshot.id, snapshot]));
  }

  requests(uid: string): RequestUpdate[] {
    return this.streams
      .flatMap(({ messages }) => messages.flatMap(({ request }) => request ?? []))
      .filter((request) => request.uid === uid);
  }

  /** On the port it had before, if any. */
  async start(): Promise<void> {
    const { cert, key } = await this.#authority.issue();
    const server = new Server();
    server.addService(loadLink().Link.service, { Connect: (call: Call) => this.#connect(call) });
    const credentials = ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
    ]);
    this.#port = await new Promise((resolve, reject) => {
      server.bindAsync(`localhost:${this.#port}`, credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  kill(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** To the latest stream. */
  want(desired: DesiredStateInput): void {
    this.desired = desired;
    this.latest?.call.write({ desired });
  }

  #connect(call: Call): void {
    const index = this.streams.length;
    const heard: Heard = {
      token: String(call.metadata.get('authorization')[0]),
      messages: [],
      inventory: [],
      inventories: 0,
      call,
    };
    this.streams.push(heard);
    if (this.refuse) {
      call.emit('error', this.refuse);
      return;
    }
    const limit = this.breakAfter(index);
    call.on('data', (message: AgentMessage) => {
      heard.messages.push(message);
      if (message.hello) {
        heard.hello = message.hello;
        const answer = () => {
          call.write({ welcome: { version: 'test', heartbeatSeconds: this.heartbeatSeconds } });
          call.write({ desired: this.desired });
        };
        if (this.welcomeAfterMs > 0) setTimeout(answer, this.welcomeAfterMs);
        else answer();
      }
      if (message.inventory) {
        heard.inventory.push(...message.inventory.snapshots);
        if (message.inventory.last) heard.inventories++;
      }
      if (heard.messages.length >= limit) {
        call.emit('error', { code: status.UNAVAILABLE, details: 'broken by the test' });
      }
    });
    call.on('end', () => call.end());
  }
}
