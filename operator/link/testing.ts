// What the tests of the link share: a CA, an agent's end of the stream, an API server that says what it is told.
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { createLogger, type Logger } from '../../shared/log.ts';
import type { SnapshotInput } from '../../shared/proto/gen/jvs/agent/v1/Snapshot.ts';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { DesiredState } from '../../shared/proto/gen/jvs/link/v1/DesiredState.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { OperatorMessage } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import type { Welcome } from '../../shared/proto/gen/jvs/link/v1/Welcome.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { newAuthority, newServing } from '../certs/issue.ts';
import type { CertificateSource, Certificates } from '../certs/source.ts';
import type { TokenReviewStatus } from '../runtime/client.ts';
import { type AgentPod, AUDIENCE } from './identity.ts';
import { type LinkOptions, LinkServer } from './server.ts';

const HOUR_MS = 3_600_000;

export interface TestCa {
  pem: string;
  /** A serving certificate for localhost. */
  issue(): Promise<Certificates>;
}

export async function testCa(): Promise<TestCa> {
  const authority = await newAuthority(undefined, new Date(), HOUR_MS);
  return {
    pem: authority.cert,
    async issue() {
      const serving = await newServing(authority, ['localhost'], new Date(), HOUR_MS);
      return { ...serving, caBundle: authority.cert, expiresAt: new Date(Date.now() + HOUR_MS) };
    },
  };
}

/** A certificate source that a test can turn. */
export function rotatable(first: Certificates): CertificateSource & { rotate(next: Certificates): void } {
  let current = first;
  const handlers = new Set<() => void>();
  return {
    current: () => current,
    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    rotate(next) {
      current = next;
      for (const handler of handlers) handler();
    },
  };
}

export function quietLog(): Logger {
  const log = createLogger('test');
  log.level = 'silent';
  return log;
}

export function helloOf(pod: string, workspace = 'ws', session = `session-of-${pod}`): Hello {
  return { version: '1.2.3', workspace, pod, node: 'node-1', session, role: 'ROLE_UNSPECIFIED' };
}

export function snapshotOf(id: string, requestUid = ''): SnapshotInput {
  return { id, requestUid, worktree: 'main', integrity: 'INTEGRITY_VERIFIED', tags: ['a', 'b'] };
}

/** The API server's answer to a good token of a pod. */
export function reviewOf(namespace: string, pod: string, uid = `uid-of-${pod}`): TokenReviewStatus {
  return {
    authenticated: true,
    audiences: [AUDIENCE],
    user: {
      username: `system:serviceaccount:${namespace}:default`,
      extra: {
        'authentication.kubernetes.io/pod-name': [pod],
        'authentication.kubernetes.io/pod-uid': [uid],
      },
    },
  };
}

export function podOfWorkspace(
  namespace: string,
  name: string,
  workspace = 'ws',
  uid = `uid-of-${name}`,
): AgentPod {
  return {
    metadata: { namespace, name, uid, labels: { 'jvs.io/workspace': workspace } },
    spec: { nodeName: 'node-1' },
    status: { phase: 'Running' },
  };
}

/** A way to a port that can be cut, as when an agent is killed or the network fails. */
export async function breakable(to: number) {
  const sockets = new Set<Socket>();
  let target: number | undefined = to;
  const server = createServer((near) => {
    if (target === undefined) {
      near.destroy();
      return;
    }
    const far = createConnection(target, 'localhost');
    pipeline(near, far, near, () => {}); // one side's end is the other's
    sockets.add(near).add(far);
  });
  server.unref().listen(0, 'localhost');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    /** Until it leads somewhere again. */
    cut(): void {
      target = undefined;
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    lead(port: number): void {
      target = port;
    },
  };
}

const connect = loadLink().Link.service.Connect;

/** An agent's end of the link. Remembers what it was sent and how the stream ended. */
export class TestAgent {
  readonly received: OperatorMessage[] = [];
  /** How the stream ended. */
  readonly status: Promise<StatusObject>;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<AgentMessageInput | Buffer, OperatorMessage>;

  constructor(port: number, ca: string, token: string | undefined) {
    this.#client = new Client(`localhost:${port}`, credentials.createSsl(Buffer.from(ca)), {
      // A connection of its own, as in a process of its own.
      'grpc.use_local_subchannel_pool': 1,
    });
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    this.#stream = this.#client.makeBidiStreamRequest(
      connect.path,
      (message: AgentMessageInput | Buffer) =>
        Buffer.isBuffer(message) ? message : connect.requestSerialize(message),
      connect.responseDeserialize,
      metadata,
    );
    this.#stream.on('data', (message: OperatorMessage) => this.received.push(message));
    this.#stream.on('error', () => {}); // the status says it too
    this.status = new Promise((resolve) => this.#stream.once('status', resolve));
  }

  /** Bytes go as they are, for what no agent of ours would say. */
  send(message: AgentMessageInput | Buffer): this {
    this.#stream.write(message);
    return this;
  }

  get welcome(): Welcome | undefined {
    return this.received[0]?.welcome ?? undefined;
  }

  /** The newest. */
  get desired(): DesiredState | undefined {
    return this.received.at(-1)?.desired ?? undefined;
  }

  /** Stops reading, as an agent that is stuck. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** As an agent that is shut down in order. */
  hangUp(): void {
    this.#stream.end();
  }

  /** Gives up without a word. */
  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}

/** A link that lets in any pod of workspace `ws` in namespace `ns`, whose token is its name; started. */
export async function testLink(
  options: Partial<LinkOptions> = {},
): Promise<{ link: LinkServer; ca: TestCa }> {
  const ca = await testCa();
  const link = new LinkServer({
    certificates: rotatable(await ca.issue()),
    reviewToken: async (token) => reviewOf('ns', token),
    pods: {
      get: (namespace, name) => podOfWorkspace(namespace, name),
      fetch: async (namespace, name) => podOfWorkspace(namespace, name),
      onChange: () => {},
    },
    log: quietLog(),
    version: 'test',
    port: 0,
    ...options,
  });
  await link.start();
  return { link, ca };
}
