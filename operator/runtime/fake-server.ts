import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connect } from './connection.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** For tests of what a healthy API server does not do. `answer` may be replaced at any time. */
export class FakeServer {
  answer: Answer;
  readonly requests: { method: string; url: URL; headers: IncomingMessage['headers'] }[] = [];
  readonly #server;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://fake');
      this.requests.push({ method: request.method ?? '', url, headers: request.headers });
      this.answer(request, response, url);
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  readonly connect: Connect = async () => ({ server: this.url, headers: {}, agent: this.#agent });

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
