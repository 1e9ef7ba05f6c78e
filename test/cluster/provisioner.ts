import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from './kube-client.ts';
import { nodeName } from './node-config.ts';
import { isMounted, output } from './process.ts';
import { say } from './progress.ts';

/** The provisioner that the cluster's StorageClasses name. */
export const provisionerName = 'cluster.jvs.io/directory';

interface Metadata {
  name: string;
  namespace?: string;
  uid: string;
  annotations?: Record<string, string>;
  deletionTimestamp?: string;
}
interface Claim {
  metadata: Metadata;
  spec: {
    storageClassName?: string;
    volumeName?: string;
    volumeMode?: string;
    accessModes: string[];
    resources: { requests: { storage: string } };
  };
  status: { phase: string; capacity?: { storage: string } };
}
interface Volume {
  metadata: Metadata;
  spec: {
    capacity: { storage: string };
    persistentVolumeReclaimPolicy: string;
    local?: { path: string };
  };
  status: { phase: string };
}
interface Class {
  metadata: Metadata;
  provisioner: string;
  reclaimPolicy: string;
  volumeBindingMode: string;
  parameters?: { medium?: 'Memory' };
}

const selectedNode = 'volume.kubernetes.io/selected-node';
const claimsPath = '/api/v1/persistentvolumeclaims';
const volumesPath = '/api/v1/persistentvolumes';
const mergePatch = 'application/merge-patch+json';

/**
 * Gives every claim of our classes a directory `<root>/<namespace>_<claim>_<uid>` of the node as a `local`
 * volume, and removes the data of released ones as their policy says. It has no size, and grows by record alone;
 * with the class's parameter `medium: Memory` it is a tmpfs of the size asked for.
 * Not kube-controller-manager's host-path provisioner: its directories are 0750 and root's, and hostPath
 * volumes get no fsGroup, so that no pod of another user could write; `local` ones do, as those of CSI do.
 */
export class Provisioner {
  readonly #client: KubeClient;
  readonly #root: string;
  #running = false;
  #again = false;

  constructor(client: KubeClient, root: string) {
    this.#client = client;
    this.#root = root;
  }

  /** Works until the process ends. Watches are hints only: whatever they say, everything is looked at. */
  start(): void {
    const follow = async (path: string) => {
      for (;;) {
        await this.#client.watch(path, () => void this.#reconcile());
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    };
    void follow(claimsPath);
    void follow(volumesPath);
  }

  async #reconcile(): Promise<void> {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    while (this.#again) {
      this.#again = false;
      try {
        await this.#pass();
      } catch (error) {
        say(`provisioner: ${error}`);
        setTimeout(() => void this.#reconcile(), 1000);
      }
    }
    this.#running = false;
  }

  async #pass(): Promise<void> {
    const [classes, claims, volumes] = await Promise.all([
      this.#list<Class>('/apis/storage.k8s.io/v1/storageclasses'),
      this.#list<Claim>(claimsPath),
      this.#list<Volume>(volumesPath),
    ]);
    const own = new Map(
      classes.filter((c) => c.provisioner === provisionerName).map((c) => [c.metadata.name, c]),
    );
    const byName = new Map(volumes.map((volume) => [volume.metadata.name, volume]));
    for (const claim of claims) {
      const storageClass = own.get(claim.spec.storageClassName ?? '');
      if (!storageClass || claim.metadata.deletionTimestamp || claim.spec.volumeMode === 'Block') continue;
      const volume = byName.get(volumeName(claim));
      const waits = storageClass.volumeBindingMode === 'WaitForFirstConsumer';
      if (!volume && !claim.spec.volumeName) {
        if (!waits || claim.metadata.annotations?.[selectedNode]) await this.#provision(claim, storageClass);
      } else if (volume && claim.status.phase === 'Bound') await this.#expand(claim, volume, storageClass);
    }
    for (const volume of volumes) {
      const ours = volume.metadata.annotations?.['pv.kubernetes.io/provisioned-by'] === provisionerName;
      const released = volume.status.phase === 'Released' && !volume.metadata.deletionTimestamp;
      if (ours && released && volume.spec.persistentVolumeReclaimPolicy === 'Delete')
        await this.#delete(volume);
    }
  }

  async #provision(claim: Claim, storageClass: Class): Promise<void> {
    const { namespace = '', name, uid } = claim.metadata;
    const path = join(this.#root, `${namespace}_${name}_${uid}`);
    await mkdir(path, { recursive: true });
    const { storage } = claim.spec.resources.requests;
    if (isMemory(storageClass) && !(await isMounted(path))) {
      await output('mount', ['-t', 'tmpfs', '-o', `size=${bytes(storage)}`, 'tmpfs', path]);
    }
    await chmod(path, 0o777);
    await this.#send('POST', volumesPath, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: volumeName(claim),
        annotations: { 'pv.kubernetes.io/provisioned-by': provisionerName },
      },
      spec: {
        capacity: { storage },
        accessModes: claim.spec.accessModes,
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
        storageClassName: storageClass.metadata.name,
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
        local: { path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }],
              },
            ],
          },
        },
      },
    });
  }

  /** Requests only ever grow, so unequal means larger. */
  async #expand(claim: Claim, volume: Volume, storageClass: Class): Promise<void> {
    const { storage } = claim.spec.resources.requests;
    const { namespace, name } = claim.metadata;
    if (volume.spec.capacity.storage !== storage) {
      if (isMemory(storageClass)) {
        await output('mount', ['-o', `remount,size=${bytes(storage)}`, volume.spec.local?.path ?? '']);
      }
      const path = `${volumesPath}/${volume.metadata.name}`;
      await this.#send('PATCH', path, { spec: { capacity: { storage } } }, mergePatch);
    }
    if (claim.status.capacity?.storage !== storage) {
      const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}/status`;
      await this.#send('PATCH', path, { status: { capacity: { storage }, conditions: null } }, mergePatch);
    }
  }

  async #delete(volume: Volume): Promise<void> {
    if (volume.spec.local?.path.startsWith(`${this.#root}/`)) {
      const { path } = volume.spec.local;
      if (await isMounted(path)) await output('umount', ['--lazy', path]);
      await rm(path, { recursive: true, force: true });
    }
    await this.#send('DELETE', `${volumesPath}/${volume.metadata.name}`);
  }

  async #list<T>(path: string): Promise<T[]> {
    return (await this.#client.get<{ items: T[] }>(path)).items;
  }

  /** Conflicts and vanished objects are no errors: the next pass sees what became of them. */
  async #send(method: string, path: string, body?: unknown, type?: string): Promise<void> {
    const { status, body: answer } = await this.#client.call(method, path, body, type);
    if (status >= 400 && status !== 404 && status !== 409)
      throw new Error(`${method} ${path}: ${status} ${answer}`);
  }
}

function volumeName(claim: Claim): string {
  return `pvc-${claim.metadata.uid}`;
}

const isMemory = ({ parameters }: Class): boolean => parameters?.medium === 'Memory';

/** tmpfs takes k, m and g, and means powers of two by them. */
const bytes = (quantity: string): string => quantity.replace(/i$/, '').toLowerCase();
