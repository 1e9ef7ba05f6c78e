import type { KeyPairFiles, Pki } from './pki.ts';

/** Certificates and keys of etcd and the API server. */
export interface ControlPlaneKeys {
  caFile: string;
  etcd: KeyPairFiles;
  server: KeyPairFiles;
  /** For the API server's calls to the kubelet. */
  kubeletClient: KeyPairFiles;
  /** Signs ServiceAccount tokens. */
  serviceAccount: KeyPairFiles;
  /** A cluster administrator. */
  admin: KeyPairFiles;
}

export const serviceRange = '10.96.0.0/16';
export const clusterDomain = 'cluster.local';

export async function issueControlPlaneKeys(
  pki: Pki,
  addresses: readonly string[],
): Promise<ControlPlaneKeys> {
  const kubernetes = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const hosts = ['localhost', ...kubernetes, `kubernetes.default.svc.${clusterDomain}`, ...addresses];
  const [etcd, server, kubeletClient, serviceAccount, admin] = await Promise.all([
    pki.issue('etcd', { user: 'etcd' }, ['localhost', '127.0.0.1']),
    pki.issue('apiserver', { user: 'kube-apiserver' }, hosts),
    pki.issue('apiserver-kubelet', { user: 'kube-apiserver-kubelet', group: 'system:masters' }),
    pki.keyPair('service-account'),
    pki.issue('admin', { user: 'cluster-admin', group: 'system:masters' }),
  ]);
  return { caFile: pki.caFile, etcd, server, kubeletClient, serviceAccount, admin };
}

/** etcd with one member, without fsync: the data of a test cluster need not survive the machine. */
export function etcdArgs(keys: ControlPlaneKeys, dataDir: string, port: number): string[] {
  const client = `https://127.0.0.1:${port}`;
  // A single member talks to no peer; port 0 keeps that listener out of everyone's way.
  const peer = 'http://127.0.0.1:0';
  return [
    ...['--name', 'e', '--data-dir', dataDir, '--unsafe-no-fsync', '--log-level', 'warn'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `e=${peer}`],
    ...['--cert-file', keys.etcd.publicFile, '--key-file', keys.etcd.keyFile],
    ...['--trusted-ca-file', keys.caFile, '--client-cert-auth'],
  ];
}

export interface ApiServerAddress {
  bind: string;
  advertise: string;
  port: number;
  etcdPort: number;
}

export function apiServerArgs(keys: ControlPlaneKeys, at: ApiServerAddress): string[] {
  const issuer = 'https://kubernetes.default.svc';
  return [
    ...['--etcd-servers', `https://127.0.0.1:${at.etcdPort}`, '--etcd-cafile', keys.caFile],
    ...['--etcd-certfile', keys.etcd.publicFile, '--etcd-keyfile', keys.etcd.keyFile],
    ...['--bind-address', at.bind, '--secure-port', `${at.port}`, '--advertise-address', at.advertise],
    ...['--tls-cert-file', keys.server.publicFile, '--tls-private-key-file', keys.server.keyFile],
    ...['--client-ca-file', keys.caFile, '--anonymous-auth=false', '--authorization-mode', 'Node,RBAC'],
    ...['--service-account-key-file', keys.serviceAccount.publicFile],
    ...['--service-account-signing-key-file', keys.serviceAccount.keyFile],
    ...['--service-account-issuer', issuer, '--api-audiences', issuer],
    ...['--service-cluster-ip-range', serviceRange, '--allow-privileged'],
    ...['--kubelet-client-certificate', keys.kubeletClient.publicFile],
    ...['--kubelet-client-key', keys.kubeletClient.keyFile, '--kubelet-certificate-authority', keys.caFile],
    ...['--kubelet-preferred-address-types', 'InternalIP', '--enable-admission-plugins', 'NodeRestriction'],
  ];
}
