// The kubeconfig as kubectl reads it. The client merges several files by rules of its own, refuses all of them for an
// entry that is not whole, and knows neither a user's tokenFile nor the proxy that the environment names.
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { findHomeDir, KubeConfig, makeAbsolutePath, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { proxyFromEnvironment } from './proxy.ts';

interface Content {
  users?: ({ name: string; user?: { tokenFile?: string } } | null)[];
}

/** As with kubectl, only who needs it misses what an incomplete entry does not say. */
const options = { onInvalidEntry: 'filter' } as const;

/**
 * Of `file`; without one of the files in KUBECONFIG, else the user's own or that of the pod's ServiceAccount.
 * @throws Error when it can not be read
 */
export function loadKubeconfig(file?: string): KubeConfig {
  const config = read(file);
  config.clusters = config.clusters.map((cluster) => {
    const proxy = cluster.proxyUrl || viaEnvironment(cluster.server);
    return proxy ? { ...cluster, proxyUrl: proxy } : cluster;
  });
  return config;
}

const viaEnvironment = (server: string): string | undefined =>
  URL.canParse(server) ? proxyFromEnvironment(new URL(server), process.env) : undefined;

function read(file: string | undefined): KubeConfig {
  const config = new KubeConfig();
  const named = file === undefined ? ofEnvironment() : [file];
  if (named.length === 0) {
    config.loadFromDefault(options);
    return config;
  }
  const there = named.filter((one) => existsSync(one));
  for (const one of there.length > 0 ? there : named) add(config, one);
  return config;
}

function ofEnvironment(): string[] {
  const named = (process.env.KUBECONFIG ?? '').split(delimiter).filter(Boolean);
  const home = findHomeDir();
  const own = home && join(home, '.kube', 'config');
  return named.length === 0 && own && existsSync(own) ? [own] : named;
}

/** What was there before wins. */
function add(config: KubeConfig, file: string): void {
  const text = readFileSync(file, 'utf8');
  const content = parse(text) as Content | null;
  if (content === null) return; // empty
  const next = new KubeConfig();
  next.loadFromString(text, options);
  next.makePathsAbsolute(dirname(file));
  config.currentContext ||= next.currentContext;
  config.clusters.push(...next.clusters.filter(({ name }) => !config.getCluster(name)));
  config.contexts.push(...next.contexts.filter(({ name }) => !config.getContextObject(name)));
  for (const user of next.users.filter(({ name }) => !config.getUser(name))) {
    const token = content.users?.find((one) => one?.name === user.name)?.user?.tokenFile;
    config.users.push(token ? withTokenFile(config, user, makeAbsolutePath(dirname(file), token)) : user);
  }
}

/** Read for each request: the file in a pod is replaced. The client's own way of it takes the end of the line along. */
function withTokenFile(config: KubeConfig, { token: _, ...user }: User, file: string): User {
  config.addAuthenticator({
    isAuthProvider: (one) => one === user,
    applyAuthentication: async (_, request) => {
      const token = (await readFile(file, 'utf8')).trim();
      request.headers = { ...request.headers, Authorization: `Bearer ${token}` };
    },
  });
  return user;
}
