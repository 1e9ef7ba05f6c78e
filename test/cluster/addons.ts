import type { KubeClient } from './kube-client.ts';
import { dnsAddress, nodeAddress } from './node-config.ts';
import { provisionerName } from './provisioner.ts';

/** What a cluster has from the start: StorageClasses and the DNS Service, answered by CoreDNS on the node. */
export async function applyAddons(client: KubeClient): Promise<void> {
  for (const [path, object] of addons) {
    const url = `${path}/${object.metadata.name}?fieldManager=jvs-cluster&force=true`;
    const { status, body } = await client.call('PATCH', url, object, 'application/apply-patch+yaml');
    if (status >= 300) throw new Error(`${url}: ${status} ${body}`);
  }
}

const storageClass = (name: string, isDefault: boolean) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': `${isDefault}` } },
  provisioner: provisionerName,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  allowVolumeExpansion: true,
});

const dnsPorts = [
  { name: 'dns', protocol: 'UDP', port: 53 },
  { name: 'dns-tcp', protocol: 'TCP', port: 53 },
];

const addons: readonly [string, { metadata: { name: string } }][] = [
  ['/apis/storage.k8s.io/v1/storageclasses', storageClass('standard', true)],
  ['/apis/storage.k8s.io/v1/storageclasses', storageClass('fast-ssd', false)],
  [
    '/api/v1/namespaces/kube-system/services',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', labels: { 'k8s-app': 'kube-dns' } },
      spec: { clusterIP: dnsAddress, ports: dnsPorts },
    } as { metadata: { name: string } },
  ],
  [
    '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices',
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'kube-dns-node', labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [nodeAddress], conditions: { ready: true } }],
      ports: dnsPorts,
    } as { metadata: { name: string } },
  ],
];
