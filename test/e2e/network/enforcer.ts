// Enforces NetworkPolicies on the node, for tests that run inside the cluster.
import { join } from 'node:path';
import { ensureBinaries } from '../../cluster/binaries.ts';
import { Component } from '../../cluster/component.ts';
import { nodeName } from '../../cluster/node-config.ts';
import { clusterDir } from '../../cluster/paths.ts';
import { output } from '../../cluster/process.ts';

/** Begins with the policies that there are; all goes through again when it is disposed. */
export async function enforcePolicies(): Promise<AsyncDisposable> {
  const router = new Component(
    [
      join(await ensureBinaries(['kube-router']), 'kube-router'),
      ...['--kubeconfig', join(clusterDir, 'kubeconfig'), '--hostname-override', nodeName],
      ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false'],
      ...['--health-port=0', '--iptables-sync-period=10s'],
    ],
    join(clusterDir, 'logs/kube-router.log'),
  );
  router.start();
  return {
    async [Symbol.asyncDispose]() {
      await router.stop();
      for (const chain of ['FORWARD', 'INPUT', 'OUTPUT'])
        await output('iptables', ['-F', `KUBE-ROUTER-${chain}`]);
    },
  };
}
