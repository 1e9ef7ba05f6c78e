import { Resolver } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { clusterDomain } from './control-plane.ts';
import type { KubeClient } from './kube-client.ts';
import { containerdSocket, nodeAddress, nodeName } from './node-config.ts';
import { output } from './process.ts';
import { step } from './progress.ts';

/** Loads image archives into the node's containerd as soon as that listens. */
export async function importImages(bin: string, archives: readonly string[]): Promise<void> {
  await until('containerd listens', async () => existsSync(containerdSocket));
  for (const archive of archives) {
    const args = ['-n', 'k8s.io', '-a', containerdSocket, 'images', 'import', '--local', archive];
    await output(join(bin, 'ctr'), args);
  }
}

/** Waits for what a first pod needs: a Ready node, a ServiceAccount to run as, and DNS. */
export async function waitUntilUsable(client: KubeClient): Promise<void> {
  interface Node {
    status: { conditions: { type: string; status: string }[] };
  }
  const found = async (path: string) => (await client.call('GET', path)).status === 200;
  await Promise.all([
    step('node ready', () =>
      until('the node is Ready', async () => {
        const node = await client.get<Node>(`/api/v1/nodes/${nodeName}`);
        return node.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
      }),
    ),
    step('controllers ready', () =>
      until('the default ServiceAccount exists', () =>
        found('/api/v1/namespaces/default/serviceaccounts/default'),
      ),
    ),
    step('DNS ready', () =>
      until('DNS answers', async () => {
        const resolver = new Resolver({ timeout: 500, tries: 1 });
        resolver.setServers([nodeAddress]);
        return (await resolver.resolve4(`kubernetes.default.svc.${clusterDomain}`)).length > 0;
      }),
    ),
  ]);
}

/** Tries until it is true; errors count as not yet, and the last one is told when time is up. */
async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  let cause: unknown;
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Not within two minutes: ${what}`, { cause });
}
