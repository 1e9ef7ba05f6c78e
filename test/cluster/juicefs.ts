// A JuiceFS on the node, for tests that run inside the cluster: the real program on a real Redis, and a CSI driver
// that does what kubelet asks of the real one's node part.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ensurePackage, juicefsProgram } from '../../agent/repository/testing/filesystem.ts';
import { nodeName } from './node-config.ts';
import { clusterDir } from './paths.ts';
import { ended, isMounted, output, spawnBound } from './process.ts';

export const driverName = 'csi.juicefs.com';

/** Installs what is missing; to be called where there is a network, which inside the cluster there is not. */
export function ensureJuiceFs(): void {
  ensurePackage('redis-server', 'redis-server');
  juicefsProgram();
}

export interface JuiceFs extends AsyncDisposable {
  /** What the driver reads of a Secret. */
  secret: Record<string, string>;
  /** The folder with its blocks, on the node. */
  blocks: string;
}

/** An empty filesystem `name` on a Redis of its own, which asks for a password. */
export async function startJuiceFs(name: string): Promise<JuiceFs> {
  const folder = join(clusterDir, `juicefs-${name}`);
  const blocks = join(folder, 'blocks');
  await mkdir(blocks, { recursive: true });
  const port = '16379';
  const password = 'right';
  const redis = spawnBound(
    'redis-server',
    [
      ...['--port', port, '--bind', '127.0.0.1', '--requirepass', password],
      ...['--dir', folder, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'],
    ],
    { stdio: 'ignore' },
  );
  const metaurl = `redis://:${password}@127.0.0.1:${port}/0`;
  const secret = { name, metaurl, storage: 'file', bucket: `${blocks}/` };
  for (let attempt = 0; ; attempt++) {
    try {
      const format = ['format', '--storage', 'file', '--bucket', secret.bucket, '--trash-days', '0'];
      await output(juicefsProgram(), [...format, metaurl, name]);
      break;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return {
    secret,
    blocks,
    async [Symbol.asyncDispose]() {
      redis.kill();
      await ended(redis);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What kubelet sends; the loader fills in every field. */
interface Publish {
  targetPath: string;
  volumeCapability: { mount: { mountFlags: string[] } | null };
  secrets: Record<string, string>;
}

type Answer = (error: { code: status; details: string } | null, response?: object) => void;
type Handler = (call: { request: Publish }, answer: Answer) => void;

/** Serves kubelet as CSI driver csi.juicefs.com until it is disposed. */
export async function startDriver(): Promise<AsyncDisposable> {
  const endpoint = join(clusterDir, 'juicefs.sock');
  const registration = join(clusterDir, 'kubelet/plugins_registry', `${driverName}-reg.sock`);
  const csi = load('csi.proto', 'csi', 'v1');
  const driver = new Server();
  driver.addService(csi('Identity'), {
    GetPluginInfo: say({ name: driverName, vendorVersion: '0' }),
    Probe: say({}),
  });
  driver.addService(csi('Node'), {
    NodeGetInfo: say({ nodeId: nodeName }),
    NodeGetCapabilities: say({}),
    NodePublishVolume: does(publish),
    NodeUnpublishVolume: does(unpublish),
  });
  const registrar = new Server();
  registrar.addService(load('registration.proto', 'pluginregistration')('Registration'), {
    GetInfo: say({ type: 'CSIPlugin', name: driverName, endpoint, supportedVersions: ['1.0.0'] }),
    NotifyRegistrationStatus: say({}),
  });
  await listen(driver, endpoint);
  // Kubelet looks for this one, and then for the other.
  await listen(registrar, registration);
  return {
    async [Symbol.asyncDispose]() {
      await rm(registration, { force: true });
      registrar.forceShutdown();
      driver.forceShutdown();
      await rm(endpoint, { force: true });
    },
  };
}

async function publish({ targetPath, volumeCapability, secrets }: Publish): Promise<void> {
  if (await isMounted(targetPath)) return;
  const { metaurl } = secrets;
  if (!metaurl) throw new Error('the Secret has no key metaurl');
  await mkdir(targetPath, { recursive: true });
  const flags = volumeCapability.mount?.mountFlags.map((option) => `--${option}`) ?? [];
  const mount = ['mount', '--background', '--no-usage-report', '--log', '/dev/null', ...flags];
  await output(juicefsProgram(), [...mount, metaurl, targetPath]);
}

async function unpublish({ targetPath }: Publish): Promise<void> {
  if (await isMounted(targetPath)) await output('umount', ['--lazy', targetPath]);
  await rm(targetPath, { recursive: true, force: true });
}

const say =
  (response: object): Handler =>
  (_, answer) =>
    answer(null, response);

const does =
  (act: (request: Publish) => Promise<void>): Handler =>
  ({ request }, answer) => {
    act(request).then(
      () => answer(null, {}),
      (error: Error) => answer({ code: status.INTERNAL, details: lastLine(error) }),
    );
  };

/** The program's reason; the lines before have its arguments, and so the password. */
const lastLine = ({ message }: Error): string => message.trim().split('\n').at(-1) ?? '';

/** Services of a file in proto/, by name. */
function load(file: string, ...path: string[]): (service: string) => ServiceDefinition {
  const definition = loadPackageDefinition(
    loadSync(join(import.meta.dirname, 'proto', file), { defaults: true, arrays: true, objects: true }),
  );
  const inside = path.reduce((at, name) => at[name] as GrpcObject, definition);
  return (service) => (inside[service] as ServiceClientConstructor).service;
}

async function listen(server: Server, socket: string): Promise<void> {
  await rm(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}
