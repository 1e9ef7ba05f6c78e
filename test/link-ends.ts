// Either end of the link as bare bytes, against the real other one: to record what a release says, and to replay it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from '@grpc/grpc-js';
import { Events } from '../agent/events.ts';
import { Executor } from '../agent/executor/executor.ts';
import { LinkClient } from '../agent/link/client.ts';
import { StateStore } from '../agent/state.ts';
import { fakeDescriptor, MemoryRepository } from '../agent/testing/memory-repository.ts';
import { Upkeep } from '../agent/upkeep/upkeep.ts';
import { Volume } from '../agent/volume/volume.ts';
import { quietLog, testCa, testLink } from '../operator/link/testing.ts';
import { loadLink } from '../shared/proto/load.ts';

/** What each side of a release said on one stream, in its order; messages in base64. */
export interface Recording {
  agent: string[];
  operator: string[];
}

export const connect = loadLink().Link.service.Connect;
export const workspace = 'ns/ws';
export const onDisk = '1767225600000-aaaaaaaa';
const log = quietLog();

/** An operator that says these messages to each agent. */
export async function rawOperator(messages: readonly Buffer[]) {
  const ca = await testCa();
  const { key, cert } = await ca.issue();
  const heard: Buffer[] = [];
  const server = new Server();
  const asBytes = (bytes: Buffer) => bytes;
  server.addService(
    { Connect: { ...connect, requestDeserialize: asBytes, responseSerialize: asBytes } },
    {
      Connect: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (bytes: Buffer) => heard.push(bytes));
        call.on('error', () => {}); // it hung up
        call.on('end', () => call.end());
        for (const message of messages) call.write(message);
      },
    },
  );
  const tls = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('localhost:0', tls, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { ca: ca.pem, port, heard, stop: async () => server.forceShutdown() };
}

/** The real agent, with a repository in memory that holds one snapshot. */
export async function realAgent(port: number, ca: string) {
  const directory = await mkdtemp(join(tmpdir(), 'jvs-link-'));
  await Promise.all([
    writeFile(join(directory, 'ca.crt'), ca),
    writeFile(join(directory, 'token'), 'pod-of-agent'),
  ]);
  const repository = new MemoryRepository();
  repository.disk.push(fakeDescriptor({ snapshot_id: onDisk }));
  const volume = new Volume({ connect: () => repository, engine: 'copy', path: '/nonexistent', log });
  const store = new StateStore('/nonexistent', log);
  const events = new Events();
  const executor = new Executor({ volume, events, store, pod: 'pod-of-agent', log });
  const client = new LinkClient({
    config: {
      ...{ workspace: 'ws', pod: 'pod-of-agent', node: 'node-1' },
      ...{ 'link-token-file': join(directory, 'token'), 'link-ca-file': join(directory, 'ca.crt') },
    },
    address: `localhost:${port}`,
    volume,
    executor,
    upkeep: new Upkeep({ workspace, worktree: 'main', store, volume, executor, log }),
    events,
    log,
    retry: { baseMs: 50, capMs: 200 },
  });
  const [running, linked] = [new AbortController(), new AbortController()];
  const runs = volume.run(running.signal);
  const link = client.run(linked.signal);
  return {
    client,
    executor,
    repository,
    async stop() {
      linked.abort();
      await link;
      await executor.stop(0);
      running.abort();
      await runs;
      await rm(directory, { recursive: true });
    },
  };
}

/** The real operator's end, for any pod of the workspace. */
export async function realOperator() {
  const { link, ca } = await testLink();
  return { link, ca: ca.pem, port: link.port ?? 0, stop: () => link.stop() };
}

/** An agent that says these messages. */
export function rawAgent(port: number, ca: string, messages: readonly Buffer[]) {
  const heard: Buffer[] = [];
  const client = new Client(`localhost:${port}`, credentials.createSsl(Buffer.from(ca)));
  const metadata = new Metadata();
  metadata.set('authorization', 'Bearer pod-of-agent');
  const asBytes = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(connect.path, asBytes, asBytes, metadata);
  call.on('data', (bytes: Buffer) => heard.push(bytes));
  call.on('error', () => {}); // how it ends is no matter
  for (const message of messages) call.write(message);
  return {
    heard,
    async stop() {
      call.cancel();
      client.close();
    },
  };
}
