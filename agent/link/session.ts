// One stream to the operator, from Hello to its end.
import { type ClientDuplexStream, type StatusObject, status } from '@grpc/grpc-js';
import type { Logger } from '../../shared/log.ts';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import type { HelloInput } from '../../shared/proto/gen/jvs/link/v1/Hello.ts';
import type { OperatorMessage } from '../../shared/proto/gen/jvs/link/v1/OperatorMessage.ts';
import type { Executor } from '../executor/executor.ts';
import type { Exporter } from '../transfer/exporter.ts';
import type { Upkeep } from '../upkeep/upkeep.ts';
import type { Volume } from '../volume/volume.ts';
import { Outbox } from './outbox.ts';

/** Why a stream ended, and how long the operator had welcomed it. */
export interface Ending {
  code: status;
  details: string;
  connectedMs: number;
}

export interface SessionOptions {
  hello: HelloInput;
  volume: Volume;
  executor: Executor;
  upkeep: Upkeep;
  exporter?: Exporter | undefined;
  log: Logger;
  onWelcome: () => void;
  /** After so long without a Welcome the attempt is given up. */
  welcomeTimeoutMs: number;
}

const farewellTimeoutMs = 1000;
const heartbeatSeconds = { least: 1, most: 60, unsaid: 20 };

export class Session {
  readonly #call: ClientDuplexStream<AgentMessageInput, OperatorMessage>;
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  #open = true;
  #flowing = true;
  #welcomedAt: number | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(call: ClientDuplexStream<AgentMessageInput, OperatorMessage>, options: SessionOptions) {
    this.#call = call;
    this.#options = options;
    const { volume, upkeep, executor, exporter } = options;
    this.#outbox = new Outbox(volume.state, upkeep.view, executor.pending(), exporter?.certificateSha256);
  }

  /** Resolves when the stream has ended, whoever ended it. Aborting hangs up. */
  async run(signal: AbortSignal): Promise<Ending> {
    const { hello, volume, executor, upkeep, exporter, welcomeTimeoutMs } = this.#options;
    const call = this.#call;
    const { promise, resolve } = Promise.withResolvers<Pick<StatusObject, 'code' | 'details'>>();
    call.on('status', resolve);
    call.on('error', () => {}); // `status` says it too
    call.on('drain', () => this.#pump(true));
    call.on('data', (message: OperatorMessage) => this.#receive(message));

    const subscriptions = [
      volume.changes.subscribe((now) => this.#tell(() => this.#outbox.volume(now))),
      upkeep.changes.subscribe((now) => this.#tell(() => this.#outbox.upkeep(now))),
      executor.updates.subscribe((uid, update) => this.#tell(() => this.#outbox.request(uid, update))),
      exporter?.changes.subscribe(() =>
        this.#tell(() => this.#outbox.certificate(exporter.certificateSha256)),
      ),
    ];
    this.#silence = setTimeout(() => {
      resolve({ code: status.DEADLINE_EXCEEDED, details: 'no Welcome in time' });
      call.cancel();
    }, welcomeTimeoutMs);
    let farewell: NodeJS.Timeout | undefined;
    const hangUp = () => {
      this.#open = false;
      call.end();
      farewell = setTimeout(() => call.cancel(), farewellTimeoutMs);
    };
    signal.addEventListener('abort', hangUp, { once: true });
    try {
      if (signal.aborted) hangUp();
      else {
        call.write({ hello });
        this.#pump();
      }
      const { code, details } = await promise;
      const connectedMs = this.#welcomedAt === undefined ? 0 : performance.now() - this.#welcomedAt;
      return { code, details: details || 'the operator hung up', connectedMs };
    } finally {
      this.#open = false;
      signal.removeEventListener('abort', hangUp);
      for (const unsubscribe of subscriptions) unsubscribe?.();
      clearTimeout(this.#silence);
      clearTimeout(farewell);
      clearInterval(this.#heartbeat);
    }
  }

  #receive({ welcome, desired }: OperatorMessage): void {
    if (!this.#open) return;
    if (welcome) {
      this.#welcomedAt = performance.now();
      clearTimeout(this.#silence);
      this.#options.onWelcome();
      // What was seen may be half a minute old, and another agent the primary since: what is missing counts as gone.
      void this.#options.volume.refresh();
      const { least, most, unsaid } = heartbeatSeconds;
      const seconds = Math.min(most, Math.max(least, welcome.heartbeatSeconds || unsaid));
      clearInterval(this.#heartbeat);
      this.#heartbeat = setInterval(() => this.#tell(() => this.#outbox.heartbeat()), seconds * 1000);
    }
    if (!desired) return;
    const { executor } = this.#options;
    const was = executor.role;
    executor.setDesired(desired);
    if (was === 'ROLE_STANDBY' && executor.role === 'ROLE_PRIMARY') void this.#recount();
  }

  /** The primary before may have changed what is on the volume until a moment ago: the operator waits for all of it. */
  async #recount(): Promise<void> {
    await this.#options.volume.reread();
    this.#tell(() => this.#outbox.recount());
  }

  #tell(change: () => void): void {
    change();
    this.#pump();
  }

  /** Writes what is owed until the stream has enough; `drained`: it wants more. */
  #pump(drained = false): void {
    if (drained) this.#flowing = true;
    while (this.#open && this.#flowing) {
      const message = this.#outbox.next();
      if (!message) return;
      this.#flowing = this.#call.write(message);
    }
  }
}
