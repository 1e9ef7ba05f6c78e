// Serves snapshots to the agents of other workspaces: only those that the operator has asked for, each to who shows
// the token for it. Runs in a process of its own (worker.ts).
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type Metadata, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { bindAll } from '../../shared/bind.ts';
import type { ChunkInput } from '../../shared/proto/gen/jvs/transfer/v1/Chunk.ts';
import type { FetchRequest } from '../../shared/proto/gen/jvs/transfer/v1/FetchRequest.ts';
import type { ItemInput } from '../../shared/proto/gen/jvs/transfer/v1/Item.ts';
import type { TransferHandlers } from '../../shared/proto/gen/jvs/transfer/v1/Transfer.ts';
import { loadTransfer } from '../../shared/proto/load.ts';
import { exportSnapshot, storedBytes } from '../repository/native/export.ts';
import { Layout } from '../repository/native/layout.ts';
import { getSnapshot } from '../repository/native/reader.ts';
import { RepositoryError } from '../repository/repository.ts';
import { selfSigned, sha256 } from './certificate.ts';
import { toWire, wireSize } from './wire.ts';

export interface Exported {
  snapshotId: string;
  /** Hexadecimal. */
  tokenSha256: string;
}

type Call = ServerWritableStream<FetchRequest, ChunkInput>;

const options = {
  'grpc.max_receive_message_length': 16 * 1024,
  'grpc.max_concurrent_streams': 8,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_connection_idle_ms': 60_000,
  'grpc.enable_channelz': 0,
};
const chunk = { bytes: 256 * 1024, items: 500 };

export class TransferServer {
  readonly port: number;
  readonly certificateSha256: string;
  readonly #server: Server;
  readonly #layout: Layout;
  readonly #calls = new Map<Call, Exported>();
  #exports: readonly Exported[] = [];

  private constructor(server: Server, layout: Layout, port: number, certificateSha256: string) {
    this.#server = server;
    this.#layout = layout;
    this.port = port;
    this.certificateSha256 = certificateSha256;
  }

  /** On all addresses; any free port for 0. Rejects when the port can not be had. */
  static async start(volume: string, port: number): Promise<TransferServer> {
    const { cert, key, sha256 } = selfSigned();
    const server = new Server(options);
    let started: TransferServer | undefined;
    const handlers: TransferHandlers = { Fetch: (call) => void started?.fetch(call) };
    server.addService(loadTransfer().Transfer.service, handlers);
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    const { bound } = await bindAll(server, port, ServerCredentials.createSsl(null, [pair]));
    started = new TransferServer(server, new Layout(volume), bound, sha256);
    return started;
  }

  /** Replaces those before; what is being sent of one that is not among them ends. */
  setExports(exports: readonly Exported[]): void {
    this.#exports = exports;
    for (const [call, exported] of this.#calls) {
      if (!exports.some((other) => isSame(other, exported))) call.emit('error', denied());
    }
  }

  close(): void {
    this.#server.forceShutdown();
  }

  /** Answers one call; never rejects. */
  async fetch(call: Call): Promise<void> {
    const exported = this.#authorize(call.metadata, call.request.snapshotId);
    if (!exported) {
      call.emit('error', denied());
      return;
    }
    this.#calls.set(call, exported);
    const gone = new AbortController();
    for (const event of ['cancelled', 'close', 'error']) call.once(event, () => gone.abort());
    try {
      await this.#send(call, gone.signal);
      call.end();
    } catch (error) {
      if (!gone.signal.aborted) call.emit('error', toServiceError(error));
    } finally {
      this.#calls.delete(call);
    }
  }

  #authorize(metadata: Metadata, snapshotId: string): Exported | undefined {
    const [authorization = '', ...more] = metadata.get('authorization');
    const token = /^Bearer ([\x21-\x7e]{1,512})$/.exec(String(authorization))?.[1];
    if (token === undefined || more.length > 0) return undefined;
    const shown = Buffer.from(sha256(token), 'hex');
    let found: Exported | undefined;
    // All are compared, whichever fits: how long it takes says nothing.
    for (const exported of this.#exports) {
      const known = Buffer.from(exported.tokenSha256, 'hex');
      const fits = known.length === shown.length && timingSafeEqual(known, shown);
      if (fits && exported.snapshotId === snapshotId) found = exported;
    }
    return found;
  }

  async #send(call: Call, signal: AbortSignal): Promise<void> {
    const { snapshotId, entry, offset } = call.request;
    const layout = this.#layout;
    const descriptor = await getSnapshot(layout, snapshotId);
    const write = async (message: ChunkInput) => {
      signal.throwIfAborted();
      if (!call.write(message)) await once(call, 'drain', { signal });
    };
    await write({
      descriptor: await readFile(layout.descriptor(snapshotId), 'utf8'),
      storedBytes: await storedBytes(layout, descriptor, signal),
    });
    let items: ItemInput[] = [];
    let bytes = 0;
    for await (const item of exportSnapshot(layout, descriptor, { entry, offset }, signal)) {
      const sent = toWire(item);
      items.push(sent);
      bytes += wireSize(sent);
      if (bytes < chunk.bytes && items.length < chunk.items) continue;
      await write({ items });
      items = [];
      bytes = 0;
    }
    await write({ items, last: true });
  }
}

const isSame = (a: Exported, b: Exported): boolean =>
  a.snapshotId === b.snapshotId && a.tokenSha256 === b.tokenSha256;

/** The same whatever is wrong: who may not read a snapshot does not learn whether it is there. */
const denied = () =>
  Object.assign(new Error('The token is not for this snapshot'), { code: status.PERMISSION_DENIED });

const codes: Partial<Record<RepositoryError['reason'], status>> = {
  NotFound: status.NOT_FOUND,
  InvalidArgument: status.INVALID_ARGUMENT,
  DamagedRepository: status.DATA_LOSS,
};

function toServiceError(error: unknown): Error {
  const code = error instanceof RepositoryError ? codes[error.reason] : undefined;
  return Object.assign(new Error(error instanceof Error ? error.message : String(error), { cause: error }), {
    code: code ?? status.INTERNAL,
  });
}
