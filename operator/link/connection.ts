// One stream of one agent, from its token to its end.
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from '../../shared/log.ts';
import type { AgentMessage } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { Hello } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { OperatorMessageInput } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import type { Authenticator } from './auth.ts';
import { Outgoing } from './outgoing.ts';
import { type Refusal, refusal } from './refusal.ts';
import { HEARTBEAT_SECONDS, type Registry, type Session } from './registry.ts';

/** A message with its size on the wire. */
export interface Received {
  readonly message: AgentMessage;
  readonly size: number;
}

export type Call = ServerDuplexStream<Received, OperatorMessageInput>;

export interface Deps {
  readonly authenticator: Authenticator;
  readonly registry: Registry;
  readonly log: Logger;
  /** Of the operator. */
  readonly version: string;
  readonly helloTimeoutMs: number;
}

export class Connection {
  readonly #call: Call;
  readonly #deps: Deps;
  readonly #outgoing: Outgoing<OperatorMessageInput>;
  readonly #ended = new AbortController();
  #log: Logger;
  #session: Session | undefined;

  constructor(call: Call, deps: Deps) {
    this.#call = call;
    this.#deps = deps;
    this.#outgoing = new Outgoing(call);
    this.#log = deps.log.child({ peer: call.getPeer() });
    // A connection that breaks ends its streams too, but then 'cancelled' follows at once.
    call.once('end', () => setImmediate(() => this.#hungUp()));
    call.once('cancelled', () => this.#broke());
  }

  /** Fires when the stream is over, whoever ended it. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves when the agent is registered or refused. Never rejects. */
  async serve(): Promise<void> {
    const refused = await this.#admit().catch((err: unknown) => {
      this.#log.error({ err }, 'a stream failed');
      return refusal(status.INTERNAL, 'The operator failed on this stream; its log says how. Connect again.');
    });
    if (refused) this.end(refused);
  }

  /** Hangs up and says why. Idempotent. */
  end(reason: Refusal): void {
    if (this.signal.aborted) return;
    this.#over();
    const level = reason.repeated ? 'debug' : 'info';
    this.#log[level]({ code: status[reason.code], reason: reason.message }, 'stream ended');
    if (this.#session && reason.code === status.RESOURCE_EXHAUSTED) {
      this.#deps.authenticator.block(this.#call.metadata, reason);
    }
    // grpc-js takes the error for the status and ends the stream with it.
    this.#call.emit('error', Object.assign(new Error(reason.message), { code: reason.code }));
  }

  async #admit(): Promise<Refusal | undefined> {
    const { authenticator, registry, version } = this.#deps;
    // Nothing is read before the token is known to be good: an unknown peer gets no memory.
    const review = await authenticator.reviewToken(this.#call.metadata, this.signal);
    if ('code' in review) return review;
    const hello = await this.#hello();
    if ('code' in hello) return hello;
    const identity = await authenticator.identify(review, hello, this.signal);
    if ('code' in identity) return identity;
    if (this.signal.aborted) return undefined;

    const { workspace, pod, node } = identity;
    this.#log = this.#log.child({ workspace, pod: pod.name });
    this.#log.info({ node, version: hello.version, session: hello.session }, 'agent connected');
    this.#outgoing.send({ welcome: { version, heartbeatSeconds: HEARTBEAT_SECONDS } });
    const session = registry.attach(identity, hello, {
      send: (message) => this.#outgoing.send(message),
      end: (reason) => this.end(reason),
    });
    this.#session = session;
    this.#call.on('data', ({ message, size }: Received) => {
      if (!this.signal.aborted) registry.receive(session, message, size);
    });
    this.#call.resume();
    return undefined;
  }

  #hello(): Promise<Hello | Refusal> {
    const { promise, resolve } = Promise.withResolvers<Hello | Refusal>();
    const timer = setTimeout(
      () => resolve(refusal(status.DEADLINE_EXCEEDED, 'No Hello has come; send it first, at once.')),
      this.#deps.helloTimeoutMs,
    );
    const gone = () => resolve(refusal(status.CANCELLED, 'The agent has hung up.'));
    this.signal.addEventListener('abort', gone, { once: true });
    this.#call.once('data', ({ message }: Received) => {
      this.#call.pause();
      resolve(message.hello ?? refusal(status.INVALID_ARGUMENT, 'The first message has to be Hello.'));
    });
    return promise.finally(() => {
      clearTimeout(timer);
      this.signal.removeEventListener('abort', gone);
    });
  }

  #hungUp(): void {
    if (this.signal.aborted) return;
    this.#over();
    this.#log.info('agent has hung up');
    if (this.#session) this.#deps.registry.left(this.#session);
    this.#call.end();
  }

  #broke(): void {
    if (this.signal.aborted) return;
    this.#over();
    this.#log.info('stream broke');
    if (this.#session) this.#deps.registry.lost(this.#session);
  }

  #over(): void {
    this.#ended.abort();
    this.#outgoing.close();
  }
}
