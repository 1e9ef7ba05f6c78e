// Enforces NetworkPolicies on the node, for tests that run inside the cluster.
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBinaries } from '../../cluster/binaries.ts';
import { nodeName } from '../../cluster/node-config.ts';
import { clusterDir } from '../../cluster/paths.ts';
import { ended, output, spawnBound } from '../../cluster/process.ts';

/** Begins with the policies that there are; all goes through again when it is disposed. */
export async function enforcePolicies(): Promise<AsyncDisposable> {
  const program = join(await ensureBinaries(['kube-router']), 'kube-router');
  const log = openSync(join(clusterDir, 'logs/kube-router.log'), 'a');
  const child = spawnBound(
    program,
    [
      ...['--kubeconfig', join(clusterDir, 'kubeconfig'), '--hostname-override', nodeName],
      ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false'],
      ...['--health-port=0', '--iptables-sync-period=10s'],
    ],
    { stdio: ['ignore', log, log] },
  );
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended(child);
      await output('iptables', ['-F', 'KUBE-ROUTER-FORWARD']);
      await output('iptables', ['-F', 'KUBE-ROUTER-INPUT']);
      await output('iptables', ['-F', 'KUBE-ROUTER-OUTPUT']);
    },
  };
}
