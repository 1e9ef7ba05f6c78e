import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { clusterDomain, serviceRange } from './control-plane.ts';
import type { KeyPairFiles, Pki } from './pki.ts';

export const nodeName = 'jvs-node';
export const nodeAddress = '10.99.0.1';
export const dnsAddress = '10.96.0.10';
export const podRange = '10.244.0.0/16';
export const containerdSocket = '/run/containerd/containerd.sock';
export const pauseImage = 'docker.io/library/pause:dev';

/** Writes the files that the node's programs are configured by, below `dir`. */
export async function writeNodeConfig(
  dir: string,
  pki: Pki,
  kubelet: KeyPairFiles,
  kubeconfig: string,
): Promise<void> {
  await mkdir(join(dir, 'cni'), { recursive: true });
  await writeFile(join(dir, 'kubelet.yaml'), stringify(kubeletConfig(pki, kubelet)));
  await writeFile(join(dir, 'containerd.toml'), containerdConfig(dir));
  await writeFile(join(dir, 'cni/10-pods.conflist'), JSON.stringify(cniConfig));
  await writeFile(join(dir, 'Corefile'), corefile(kubeconfig));
}

function kubeletConfig(pki: Pki, serving: KeyPairFiles): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki.caFile },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: serving.publicFile,
    tlsPrivateKeyFile: serving.keyFile,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    makeIPTablesUtilChains: false,
    clusterDNS: [dnsAddress],
    clusterDomain,
    // Pods see the cluster's DNS and nothing of the machine's.
    resolvConf: '',
    // Images come from an import and cannot be pulled again: never collect them.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%',
    },
    syncFrequency: '5s',
    // Tests kill containers again and again: those are back soon, where a node would wait up to five minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '10s' },
    serializeImagePulls: false,
  };
}

function containerdConfig(dir: string): string {
  // Without CAP_SYS_RESOURCE no process may lower its OOM score: runc fails unless both settings are as here.
  return `version = 3
root = '${dir}/containerd'
state = '/run/containerd'
oom_score = 0
disabled_plugins = [
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.internal.v1.tracing',
]

[grpc]
address = '${containerdSocket}'

[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '${pauseImage}'

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '${dir}/cni'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = 'runc'
SystemdCgroup = false
`;
}

// Point-to-point and not a bridge: pods reach each other by the node's routes, so that replies of a Service
// pass the node's address translation without the br_netfilter module.
const cniConfig = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni-ipam',
        ranges: [[{ subnet: '10.244.0.0/24' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

function corefile(kubeconfig: string): string {
  // There is no network outside: other names do not exist, which is an answer, where none would be a failure.
  return `${clusterDomain} in-addr.arpa ip6.arpa {
  errors
  kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfig}
    pods insecure
    ttl 5
  }
}
. {
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}

export const controllerManagerFlags = [
  ...['--bind-address', '127.0.0.1', '--use-service-account-credentials', '--leader-elect=false'],
  ...['--allocate-node-cidrs', '--cluster-cidr', podRange, '--service-cluster-ip-range', serviceRange],
];

export const schedulerFlags = ['--bind-address', '127.0.0.1', '--leader-elect=false'];

// Connection limits belong to the machine, not to our network namespace: 0 leaves them alone.
export const proxyFlags = [
  ...['--hostname-override', nodeName, '--proxy-mode', 'iptables', '--cluster-cidr', podRange],
  ...['--bind-address', '127.0.0.1', '--conntrack-max-per-core', '0'],
  ...['--conntrack-tcp-timeout-established', '0s', '--conntrack-tcp-timeout-close-wait', '0s'],
];
