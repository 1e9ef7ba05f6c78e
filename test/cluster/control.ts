import { rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import type { Component } from './component.ts';

/** What the supervisor tells about the cluster. */
export interface ClusterStatus {
  phase: 'starting' | 'ready' | 'failed';
  message: string;
  /** Pid inside the cluster's namespace, by component; absent when it is down. */
  components: Record<string, number | undefined>;
}

const socketOf = (dir: string) => join(dir, 'control.sock');

/** Serves GET /status and POST /<component>/start|stop|kill on a socket in the cluster's directory. */
export async function serveControl(
  dir: string,
  components: ReadonlyMap<string, Component>,
  status: () => Omit<ClusterStatus, 'components'>,
): Promise<void> {
  await rm(socketOf(dir), { force: true });
  const server = createServer(async (req, res) => {
    const [name = '', action] = (req.url ?? '').split('/').slice(1);
    const component = components.get(name);
    if (name === 'status') {
      const pids = Object.fromEntries([...components].map(([key, value]) => [key, value.pid]));
      return res.end(JSON.stringify({ ...status(), components: pids } satisfies ClusterStatus));
    }
    if (req.method !== 'POST' || !component) return res.writeHead(404).end(`no component ${name}`);
    if (action === 'start') component.start();
    else if (action === 'stop') await component.stop();
    else if (action === 'kill') await component.stop('SIGKILL');
    else return res.writeHead(404).end(`no action ${action}`);
    res.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketOf(dir), resolve);
  });
}

/** The status of the cluster in `dir`; undefined when no supervisor answers. */
export async function readStatus(dir: string): Promise<ClusterStatus | undefined> {
  try {
    return JSON.parse(await callControl(dir, 'GET', '/status')) as ClusterStatus;
  } catch {
    return undefined;
  }
}

export function callControl(dir: string, method: 'GET' | 'POST', path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socketOf(dir), method, path, timeout: 60_000 }, (res) => {
      let body = '';
      res.on('data', (data) => {
        body += data;
      });
      res.once('end', () => (res.statusCode === 200 ? resolve(body) : reject(new Error(`${path}: ${body}`))));
    });
    req.once('timeout', () => req.destroy(new Error(`${path}: no answer from the cluster's supervisor`)));
    req.once('error', reject);
    req.end();
  });
}
