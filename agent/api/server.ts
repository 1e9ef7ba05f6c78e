// The debug API's server: on the pod's loopback, in plain text, for grpcurl through a port-forward and for containers
// of the pod.
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { AgentHandlers } from '../../shared/proto/gen/jvs/agent/v1/Agent.ts';
import { loadAgent, loadHealth, loadProto } from '../../shared/proto/load.ts';
import type { Events } from '../events.ts';
import type { Volume } from '../volume/volume.ts';
import { diffHandler } from './diff.ts';
import { toServiceError } from './errors.ts';
import { healthHandlers } from './health.ts';
import { reflectionServices } from './reflection.ts';
import type { AgentService } from './service.ts';
import { watchEvents } from './watch.ts';

export interface ApiServer {
  port: number;
  /** Lets calls end for a moment, then ends them. */
  close(): Promise<void>;
}

const closeTimeoutMs = 500;

const serverOptions = {
  // Requests are ids, notes and tags.
  'grpc.max_receive_message_length': 256 * 1024,
  'grpc.max_send_message_length': 4 * 1024 * 1024,
  'grpc.max_concurrent_streams': 32,
  // A client that vanished, through a port-forward for example, frees its connection.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_idle_ms': 300_000,
  'grpc.enable_channelz': 0,
};

/** As others are told of them: fields are named as in the files. */
const contracts = () =>
  (
    [
      'jvs/agent/v1/agent.proto',
      'grpc/health/v1/health.proto',
      'grpc/reflection/v1/reflection.proto',
    ] as const
  ).map((file) => loadProto(file, { keepCase: true }));

/** `address` as host:port, any free port for 0. Rejects when it can not be had. */
export async function startApiServer(
  address: string,
  { service, volume, events }: { service: AgentService; volume: Volume; events: Events },
): Promise<ApiServer> {
  const server = new Server(serverOptions);
  const agent: AgentHandlers = {
    GetStatus: unary(async () => service.getStatus()),
    ListSnapshots: unary((request) => service.listSnapshots(request)),
    GetSnapshot: unary((request) => service.getSnapshot(request)),
    CreateSnapshot: unary((request, signal) => service.createSnapshot(request, signal)),
    Diff: diffHandler((request, signal) => service.diff(request, signal)),
    Restore: unary((request, signal) => service.restore(request, signal)),
    Fork: unary((request, signal) => service.fork(request, signal)),
    Verify: unary((request, signal) => service.verify(request, signal)),
    PlanRetention: unary(() => service.planRetention()),
    WatchEvents: (call) => watchEvents(call, events),
  };
  server.addService(loadAgent().Agent.service, agent);
  server.addService(loadHealth().Health.service, healthHandlers(volume));
  for (const { definition, implementation } of reflectionServices(contracts)) {
    server.addService(definition, implementation as UntypedServiceImplementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), closeTimeoutMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

/** A handler as a function; its signal aborts when the caller gives up. */
function unary<Request, Response>(handle: (request: Request, signal: AbortSignal) => Promise<Response>) {
  return async (
    call: ServerUnaryCall<Request, unknown>,
    callback: sendUnaryData<Response>,
  ): Promise<void> => {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    try {
      callback(null, await handle(call.request, controller.signal));
    } catch (error) {
      callback(toServiceError(error));
    }
  };
}
