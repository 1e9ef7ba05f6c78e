// The agent's API, through the API server's port-forward. Loaded when it is needed: gRPC is large.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import type { INamespace } from 'protobufjs';
import contract from '../shared/proto/gen/agent.json' with { type: 'json' };
import type { ProtoGrpcType } from '../shared/proto/gen/agent.ts';
import type { AgentClient } from '../shared/proto/gen/jvs/agent/v1/Agent.ts';
import { loadOptions } from '../shared/proto/load.ts';
import { PluginError } from './errors.ts';
import type { Kube } from './kube.ts';

const PORT = 7443;
/** What is asked may take long; only an agent that can not say that it is there is given up. */
const SILENT_MS = 15_000;

const { Agent } = (
  loadPackageDefinition(fromJSON(contract as INamespace, loadOptions)) as unknown as ProtoGrpcType
).jvs.agent.v1;

/**
 * Gives the agent of a pod to `use`, and hangs up when that is done.
 * @throws ApiError when the pod is not reached, PluginError with what the agent says
 */
export async function withAgent<T>(
  kube: Pick<Kube, 'forward'>,
  pod: string,
  use: (agent: AgentClient) => Promise<T>,
): Promise<T> {
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // it may break when nobody waits for it any more
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let cause: Error | undefined;
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('close', () => {
      broken.reject(new PluginError(...unreached(pod, cause?.message ?? 'it hung up'), { cause }));
    });
    kube.forward(pod, PORT, socket).catch((cause: unknown) => {
      broken.reject(cause);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new Agent(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    'grpc.keepalive_time_ms': SILENT_MS,
    'grpc.keepalive_timeout_ms': SILENT_MS,
  });
  try {
    const ready = new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + SILENT_MS, (cause) => {
        if (cause) reject(new PluginError(...unreached(pod, 'it does not answer'), { cause }));
        else resolve();
      });
    });
    await Promise.race([ready, broken.promise]);
    return await Promise.race([use(client), broken.promise]);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    throw new PluginError(...told(error, pod), { cause: error });
  } finally {
    client.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** A unary call as a promise: `await call(agent, agent.getStatus, {})`. */
export function call<Request, Response>(
  agent: AgentClient,
  method: (request: Request, callback: (error: ServiceError | null, response?: Response) => void) => unknown,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(agent, request, (error, response) => (error ? reject(error) : resolve(response as Response)));
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}

function told({ code, details }: ServiceError, pod: string): [message: string, hint: string] {
  if (code === status.UNIMPLEMENTED) {
    return [`the agent in pod ${pod} is too old for this`, 'delete the pod: a new one has a new agent'];
  }
  if (code === status.UNAVAILABLE) return unreached(pod, details);
  return [details, `so says the agent in pod ${pod}`];
}

const unreached = (pod: string, why: string): [message: string, hint: string] => [
  `the agent in pod ${pod} is not reached: ${why}`,
  'try again',
];
