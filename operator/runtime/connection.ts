// How to reach the API server and as whom.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Agent, Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { systemClock } from './clock.ts';

export interface Endpoint {
  /** May have a path: proxies such as Rancher's serve the API below one. */
  server: URL;
  headers: Record<string, string>;
  agent: Agent;
}

/** Called before every request, so that rotated tokens and certificates are used as soon as they are there. */
export type Connect = () => Promise<Endpoint>;

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const CREDENTIALS_TTL_MS = 60_000;

/** In the order of kubectl and controller-runtime: `KUBECONFIG`, the pod's ServiceAccount, `~/.kube/config`. */
export function connectDefault(): Connect {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  if (!process.env.KUBECONFIG && host && existsSync(`${SERVICE_ACCOUNT}/token`)) {
    const port = process.env.KUBERNETES_SERVICE_PORT ?? '443';
    return connectAsServiceAccount(
      new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
      SERVICE_ACCOUNT,
    );
  }
  return connectByKubeconfig();
}

/** The kubelet replaces `token` and `ca.crt` in `directory` long before they expire; they are read again every minute. */
export function connectAsServiceAccount(server: URL, directory: string, clock = systemClock): Connect {
  const agent = keepAliveAgents(server);
  let endpoint: Promise<Endpoint> | undefined;
  let readAt = 0;
  const read = async (): Promise<Endpoint> => {
    const [token, ca] = await Promise.all([
      readFile(`${directory}/token`, 'utf8'),
      readFile(`${directory}/ca.crt`, 'utf8'),
    ]);
    return { server, headers: { authorization: `Bearer ${token.trim()}` }, agent: agent({ ca }) };
  };
  return () => {
    const now = clock.now();
    if (!endpoint || now - readAt > CREDENTIALS_TTL_MS) {
      readAt = now;
      endpoint = read();
      endpoint.catch(() => {
        endpoint = undefined;
      });
    }
    return endpoint;
  };
}

/**
 * Any kubeconfig, exec plugins, OIDC and proxies included. client-node is loaded only here: it costs 60 MB of
 * anonymous memory, which the operator in its pod has no use for. Without `file`: the default one.
 */
export function connectByKubeconfig(file?: string): Connect {
  const load = async () => {
    if (!file && !process.env.KUBECONFIG && !existsSync(join(homedir(), '.kube/config')))
      throw new Error('no cluster is known: set KUBECONFIG, or run in a pod that has a ServiceAccount token');
    const { loadKubeconfig } = await import('../../shared/kubeconfig.ts');
    const config = loadKubeconfig(file);
    const cluster = config.getCurrentCluster();
    if (!cluster)
      throw new Error('the kubeconfig has no current cluster: set one with kubectl config use-context');
    const server = new URL(cluster.server);
    return { config, server, proxied: Boolean(cluster.proxyUrl), agent: keepAliveAgents(server) };
  };
  let loaded: ReturnType<typeof load> | undefined;
  return async () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    const { config, server, proxied, agent } = await loaded;
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value);
    if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    // client-node's own agent opens a connection for every request; it is used only where it goes through a proxy.
    if (proxied && options.agent instanceof HttpAgent) return { server, headers, agent: options.agent };
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    return { server, headers, agent: agent({ ca, cert, key, rejectUnauthorized, servername }) };
  };
}

/** One agent as long as the TLS options stay the same. TCP keep-alive finds a vanished peer in about 40 s. */
function keepAliveAgents(server: URL): (tls: AgentOptions) => Agent {
  const common = { keepAlive: true, keepAliveMsecs: 30_000, maxFreeSockets: 8 } as const;
  if (server.protocol === 'http:') {
    const agent = new HttpAgent(common);
    return () => agent;
  }
  let current: { id: string; agent: Agent } | undefined;
  return (tls) => {
    const id = JSON.stringify(
      Object.values(tls).map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : value)),
    );
    // The requests under way on the old agent finish there; the server closes its idle connections.
    // The certificates are read once, and not for every connection.
    if (current?.id !== id)
      current = { id, agent: new HttpsAgent({ ...common, ...tls, secureContext: createSecureContext(tls) }) };
    return current.agent;
  };
}
