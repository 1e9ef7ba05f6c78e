// Claims, bound to volumes of a CSI driver, as a cluster with all its controllers would have made them.
import type { KubeClient } from '../../../operator/runtime/client.ts';
import { namespaces, type PersistentVolume, pvcs, pvs } from '../../../operator/runtime/resources.ts';
import { each } from '../asked.ts';

export const driverName = 'nothing.csi.bench.jvs.io';
export const namespace = 'bench';
export const claimOf = (volume: number): string => `claim-${volume}`;

const storage = '1Gi';
const common = { accessModes: ['ReadWriteOnce'], storageClassName: '', volumeMode: 'Filesystem' };

export async function makeClaims(client: KubeClient, count: number): Promise<void> {
  await client.create(namespaces, { metadata: { name: namespace } });
  await each(
    Array.from({ length: count }, (_, i) => i),
    (volume) => makeClaim(client, claimOf(volume), `volume-${volume}`),
  );
}

async function makeClaim(client: KubeClient, name: string, volumeName: string): Promise<void> {
  const bound = { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' };
  const { metadata } = await client.create(pvcs, {
    metadata: { namespace, name, annotations: bound },
    spec: { ...common, volumeName, resources: { requests: { storage } } },
  });
  const { uid = '' } = metadata;
  const volume = {
    metadata: { name: volumeName, annotations: { 'pv.kubernetes.io/provisioned-by': driverName } },
    spec: {
      ...common,
      capacity: { storage },
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      csi: { driver: driverName, volumeHandle: volumeName },
    },
  } satisfies PersistentVolume;
  await client.create(pvs, volume);
  const status = { phase: 'Bound', ...common, capacity: { storage } };
  await client.mergePatch(
    pvs,
    { name: volumeName },
    { status: { phase: 'Bound' } },
    { subresource: 'status' },
  );
  await client.mergePatch(pvcs, { namespace, name }, { status }, { subresource: 'status' });
}
