import type { AddressInfo } from 'node:net';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Connect } from '../../operator/runtime/connection.ts';

/** A TCP relay between a client and the API server: the network that can break while others still reach the server. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lost = false;
  /** Connections so far. */
  accepted = 0;

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      this.accepted += 1;
      const upstream = dial(Number(target.port), target.hostname);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (data) => this.#lost || to.write(data));
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async start(target: string): Promise<Relay> {
    const relay = new Relay(new URL(target));
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  /** Where clients are to connect to. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://127.0.0.1:${port}`;
  }

  /** The same credentials, through the relay. */
  through(connect: Connect): Connect {
    return async () => ({ ...(await connect()), server: new URL(this.url) });
  }

  /** From now on everything sent is lost and nobody is told: connections, old and new, look alive. */
  lose(): void {
    this.#lost = true;
  }

  /** Works again for new connections; the old ones are reset. */
  heal(): void {
    this.#lost = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
