import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { checkout } from './cluster/paths.ts';
import type { Target } from './cluster/target.ts';

/**
 * config/default with this target's images; a new image under an old name makes new pods. On a cluster of its own with
 * the right to PersistentVolumes, which nobody's cluster is to give for a demo. Path for kubectl -k.
 */
export async function writeOverlay({ own, images, keys }: Target): Promise<string> {
  const directory = join(checkout, 'dist/install');
  await mkdir(directory, { recursive: true });
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'jvs-operator', namespace: 'jvs-system' },
    spec: {
      template: {
        metadata: { annotations: { 'jvs.io/image-key': keys.operator } },
        spec: {
          containers: [
            {
              name: 'operator',
              image: images.operator,
              env: [{ name: 'JVS_AGENT_IMAGE', value: images.agent }],
            },
          ],
        },
      },
    },
  };
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(directory, join(checkout, own ? 'config/juicefs' : 'config/default'))],
    patches: [{ patch: JSON.stringify(patch) }],
  };
  await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization, null, 2));
  return relative(checkout, directory);
}
