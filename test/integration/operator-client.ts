// The rights of the operator, no more: what its manifests give its ServiceAccount.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { KubeClient } from '../../operator/runtime/client.ts';
import type { ApiServer } from '../cluster/apiserver.ts';

interface Kubeconfig {
  users: { name: string; user: object }[];
}

export interface ServiceAccount {
  namespace: string;
  name: string;
}

interface BoundPod {
  name: string;
  uid: string;
}

const operator: ServiceAccount = { namespace: 'jvs-system', name: 'jvs-operator' };

/** Needs config/rbac to be applied. */
export async function operatorClient(server: ApiServer): Promise<KubeClient> {
  return KubeClient.fromKubeconfig(await operatorKubeconfig(server));
}

/** Path of a kubeconfig of the operator's ServiceAccount. Needs config/rbac to be applied. */
export const operatorKubeconfig = (server: ApiServer): Promise<string> => kubeconfigOf(server, operator);

/** Path of a kubeconfig of a ServiceAccount that is there. */
export async function kubeconfigOf(server: ApiServer, account: ServiceAccount): Promise<string> {
  const token = await tokenOf(server, account);
  const config = parse(await readFile(server.kubeconfig, 'utf8')) as Kubeconfig;
  const users = config.users.map(({ name }) => ({ name, user: { token } }));
  const file = join(server.dir, `${account.name}.kubeconfig`);
  await writeFile(file, stringify({ ...config, users }), { mode: 0o600 });
  return file;
}

/**
 * Path of a directory with `token` and `ca.crt` as the operator's pod has them; of this pod, where one is given. Needs
 * config/rbac to be applied.
 */
export async function operatorCredentials(server: ApiServer, pod?: BoundPod): Promise<string> {
  const directory = join(server.dir, ['operator-credentials', pod?.name].filter(Boolean).join('-'));
  await mkdir(directory);
  await writeFile(join(directory, 'token'), await tokenOf(server, operator, pod), { mode: 0o600 });
  await copyFile(server.caFile, join(directory, 'ca.crt'));
  return directory;
}

function tokenOf(server: ApiServer, account: ServiceAccount, pod?: BoundPod): Promise<string> {
  const admin = KubeClient.fromKubeconfig(server.kubeconfig);
  return admin.createToken(account, { audiences: [], pod });
}
