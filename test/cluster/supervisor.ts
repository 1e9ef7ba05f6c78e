// Runs the cluster from inside its namespaces: node supervisor.ts <directory> <programs> <images>.
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { applyAddons } from './addons.ts';
import { auditArgs } from './audit.ts';
import { Component } from './component.ts';
import { serveControl } from './control.ts';
import { apiServerArgs, etcdArgs, issueControlPlaneKeys } from './control-plane.ts';
import { KubeClient } from './kube-client.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import * as node from './node-config.ts';
import { cacheRoot, checkout } from './paths.ts';
import { createPki } from './pki.ts';
import { output } from './process.ts';
import { say, step } from './progress.ts';
import { Provisioner } from './provisioner.ts';
import { importImages, waitUntilUsable } from './readiness.ts';

const [dir = '', bin = '', images = ''] = process.argv.slice(2);
const server = `https://${node.nodeAddress}:6443`;
const components = new Map<string, Component>();
let phase: 'starting' | 'ready' | 'failed' = 'starting';
let message = '';

function run(program: string, args: readonly string[]): Component {
  const component = new Component([join(bin, program), ...args], join(dir, 'logs', `${program}.log`));
  components.set(program, component);
  component.start();
  return component;
}

async function startCluster(): Promise<void> {
  const setup = join(import.meta.dirname, 'node-setup.sh');
  await output('sh', [setup, node.nodeName, node.nodeAddress, checkout, cacheRoot]);
  await Promise.all(['logs', 'volumes'].map((name) => mkdir(join(dir, name), { recursive: true })));
  const pki = await createPki(join(dir, 'pki'));
  const keys = await issueControlPlaneKeys(pki, ['127.0.0.1', '10.96.0.1', node.nodeAddress]);
  const client = new KubeClient(server, keys.caFile, keys.admin);

  run('etcd', etcdArgs(keys, join(dir, 'etcd'), 2379));
  const address = { bind: '0.0.0.0', advertise: node.nodeAddress, port: 6443, etcdPort: 2379 };
  run('kube-apiserver', [...apiServerArgs(keys, address), ...(await auditArgs(join(dir, 'logs')))]);

  const kubeconfigOf = async (name: string, user: string, group?: string) => {
    const identity = await pki.issue(name, { user, ...(group ? { group } : {}) });
    return writeKubeconfig(join(dir, `${name}.kubeconfig`), server, keys.caFile, identity);
  };
  await writeKubeconfig(join(dir, 'kubeconfig'), server, keys.caFile, keys.admin);
  const controllerManager = await kubeconfigOf('controller-manager', 'system:kube-controller-manager');
  const scheduler = await kubeconfigOf('scheduler', 'system:kube-scheduler');
  const proxy = await kubeconfigOf('proxy', 'system:kube-proxy');
  const dns = await kubeconfigOf('dns', 'coredns', 'system:masters');
  const kubelet = await kubeconfigOf('kubelet', `system:node:${node.nodeName}`, 'system:nodes');
  const kubeletServing = await pki.issue('kubelet-serving', { user: node.nodeName }, [
    node.nodeName,
    node.nodeAddress,
  ]);
  await node.writeNodeConfig(dir, pki, kubeletServing, dns);

  run('containerd', ['--config', join(dir, 'containerd.toml')]);
  await Promise.all([
    step('API server ready', () => client.ready(AbortSignal.timeout(120_000))),
    step('images imported', async () => {
      const archives = (await readdir(images)).filter((file) => file.endsWith('.tar'));
      await importImages(
        bin,
        archives.map((file) => join(images, file)),
      );
    }),
  ]);

  const three = (file: string) =>
    ['--kubeconfig', '--authentication-kubeconfig', '--authorization-kubeconfig'].flatMap((flag) => [
      flag,
      file,
    ]);
  run('kube-controller-manager', [
    ...three(controllerManager),
    ...['--service-account-private-key-file', keys.serviceAccount.keyFile, '--root-ca-file', keys.caFile],
    ...['--cluster-signing-cert-file', keys.caFile, '--cluster-signing-key-file', join(pki.dir, 'ca.key')],
    ...node.controllerManagerFlags,
  ]);
  run('kube-scheduler', [...three(scheduler), ...node.schedulerFlags]);
  run('kube-proxy', ['--kubeconfig', proxy, ...node.proxyFlags]);
  run('coredns', ['-conf', join(dir, 'Corefile')]);
  run('kubelet', [
    ...['--config', join(dir, 'kubelet.yaml'), '--kubeconfig', kubelet, '--root-dir', join(dir, 'kubelet')],
    ...['--hostname-override', node.nodeName, '--node-ip', node.nodeAddress],
  ]);
  await applyAddons(client);
  new Provisioner(client, join(dir, 'volumes')).start();
  await waitUntilUsable(client);
}

await serveControl(dir, components, () => ({ phase, message }));
try {
  await startCluster();
  phase = 'ready';
} catch (error) {
  phase = 'failed';
  message = String(error);
  say(message);
}
