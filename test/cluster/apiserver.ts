import type { ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditArgs } from './audit.ts';
import { ensureBinaries } from './binaries.ts';
import { apiServerArgs, etcdArgs, issueControlPlaneKeys } from './control-plane.ts';
import { KubeClient } from './kube-client.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createPki } from './pki.ts';
import { ended, spawnBound } from './process.ts';

/** A real API server with its etcd and nothing else: no controllers, no nodes, no pods that run. */
export interface ApiServer {
  /** Path of a kubeconfig of a cluster administrator. */
  readonly kubeconfig: string;
  readonly url: string;
  /** Path of the authority of its certificate. */
  readonly caFile: string;
  /** Holds etcd's data, certificates and the logs `etcd.log` and `kube-apiserver.log`; gone after stop(). */
  readonly dir: string;
  /** Of both programs. */
  readonly pids: number[];
  /** Ends both programs and removes the directory. */
  stop(): Promise<void>;
  /** kill -9 of the API server; etcd goes on. */
  kill(): Promise<void>;
  /** Starts the API server again on the same address and data; resolves when it is ready. */
  restart(): Promise<void>;
  /** Freezes the API server: connections stay open and get no answer. */
  pause(): void;
  resume(): void;
}

export interface ApiServerOptions {
  /** More arguments for kube-apiserver. */
  args?: readonly string[];
  /** Writes `audit.log` into the directory, with what the operator asks, or these users do. */
  audit?: boolean | string[];
}

const readyWithin = 120_000;

/** Starts an API server on 127.0.0.1. Any number can run at once; all die with this process. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const bin = await ensureBinaries(['etcd', 'kube-apiserver']);
  const dir = await mkdtemp(join(tmpdir(), 'jvs-apiserver-'));
  try {
    // Between finding a free port and listening on it someone else may take it.
    for (let attempt = 1; ; attempt++) {
      try {
        return await startIn(bin, join(dir, `${attempt}`), options, () =>
          rm(dir, { recursive: true, force: true }),
        );
      } catch (error) {
        if (attempt === 5 || !/address already in use/.test(String(error))) throw error;
      }
    }
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(
  bin: string,
  dir: string,
  options: ApiServerOptions,
  clean: () => Promise<void>,
): Promise<ApiServer> {
  await mkdir(dir);
  const keys = await issueControlPlaneKeys(await createPki(join(dir, 'pki')), ['127.0.0.1', '10.96.0.1']);
  const [port, etcdPort] = await freePorts();
  const url = `https://127.0.0.1:${port}`;
  const client = new KubeClient(url, keys.caFile, keys.admin);

  const launch = (program: string, args: readonly string[]) => {
    const log = openSync(join(dir, `${program}.log`), 'a');
    return spawnBound(join(bin, program), args, { stdio: ['ignore', log, log], cwd: dir });
  };
  const etcd = launch('etcd', etcdArgs(keys, join(dir, 'etcd'), etcdPort));
  const audit = options.audit ? await auditArgs(dir, options.audit === true ? undefined : options.audit) : [];
  const launchApiServer = () =>
    launch('kube-apiserver', [
      ...apiServerArgs(keys, { bind: '127.0.0.1', advertise: '127.0.0.1', port, etcdPort }),
      // Nothing routes to a Service here, and the loopback is no valid endpoint.
      ...['--endpoint-reconciler-type', 'none', ...audit, ...(options.args ?? [])],
    ]);
  let apiserver = launchApiServer();
  const ready = async () => {
    const gaveUp = new AbortController();
    const timer = setTimeout(() => gaveUp.abort(new Error('not ready in time')), readyWithin);
    void ended(etcd).then(() => gaveUp.abort(new Error('etcd ended')));
    void ended(apiserver).then(() => gaveUp.abort(new Error('kube-apiserver ended')));
    try {
      await client.ready(gaveUp.signal);
    } catch (cause) {
      const logs = await Promise.all(
        ['etcd', 'kube-apiserver'].map((name) => tail(join(dir, `${name}.log`))),
      );
      throw new Error(`The API server did not start.\n${logs.join('\n')}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  };
  const kill = (child: ChildProcess) => {
    child.kill('SIGKILL');
    return ended(child);
  };

  try {
    await ready();
  } catch (error) {
    await Promise.all([etcd, apiserver].map(kill));
    throw error;
  }
  return {
    kubeconfig: await writeKubeconfig(join(dir, 'kubeconfig'), url, keys.caFile, keys.admin),
    url,
    caFile: keys.caFile,
    dir,
    get pids() {
      return [etcd, apiserver].map(({ pid = 0 }) => pid);
    },
    async stop() {
      await Promise.all([etcd, apiserver].map(kill));
      await clean();
    },
    kill: () => kill(apiserver),
    restart() {
      apiserver = launchApiServer();
      return ready();
    },
    pause: () => void apiserver.kill('SIGSTOP'),
    resume: () => void apiserver.kill('SIGCONT'),
  };
}

/** Two ports that were free a moment ago. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number];
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return `--- ${file}\n${text.split('\n').slice(-15).join('\n')}`;
}
