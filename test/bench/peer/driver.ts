// A CSI driver that does nothing, in a process of its own: every snapshot is there at once.
// Arguments: csi.proto, and the path of the socket to serve on.
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { driverName } from './volumes.ts';

interface CreateSnapshot {
  name: string;
  sourceVolumeId: string;
}

const [proto = '', socket = ''] = process.argv.slice(2);
const { v1 } = loadPackageDefinition(loadSync(proto)).csi as { v1: GrpcObject };
const service = (name: string) => (v1[name] as ServiceClientConstructor).service;

type Handler = (call: { request: CreateSnapshot }, answer: (error: null, response: object) => void) => void;
const answers =
  (response: (request: CreateSnapshot) => object): Handler =>
  ({ request }, answer) =>
    answer(null, response(request));
const handlers = (responses: Record<string, (request: CreateSnapshot) => object>) =>
  Object.fromEntries(
    Object.entries(responses).map(([name, response]) => [name, answers(response) as UntypedHandleCall]),
  );

const server = new Server();
server.addService(
  service('Identity'),
  handlers({
    GetPluginInfo: () => ({ name: driverName, vendorVersion: '0' }),
    GetPluginCapabilities: () => ({ capabilities: [{ service: { type: 'CONTROLLER_SERVICE' } }] }),
    Probe: () => ({ ready: { value: true } }),
  }),
);
server.addService(
  service('Controller'),
  handlers({
    ControllerGetCapabilities: () => ({ capabilities: [{ rpc: { type: 'CREATE_DELETE_SNAPSHOT' } }] }),
    CreateSnapshot: ({ name, sourceVolumeId }) => {
      const creationTime = { seconds: Math.floor(Date.now() / 1000), nanos: 0 };
      return { snapshot: { snapshotId: name, sourceVolumeId, creationTime, sizeBytes: 1, readyToUse: true } };
    },
    DeleteSnapshot: () => ({}),
  }),
);
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
