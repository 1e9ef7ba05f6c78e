// What the caches keep of built-in objects: these are many, of others too, and large.
import type { Deployment, Pod } from './runtime/resources.ts';
import type { ObjectMeta } from './runtime/types.ts';

/** Its template is compared by the hash in its annotations. */
export const keptOfDeployment = ({ spec: _, ...rest }: Deployment): Deployment => rest;

export function keptOfPod({ spec, metadata, status, ...rest }: Pod): Pod {
  const { nodeName, containers = [], initContainers = [] } = spec ?? {};
  const names = (all: readonly { name: string }[]) => all.map(({ name }) => ({ name }));
  return {
    ...rest,
    metadata: { ...metadata, ...(metadata.annotations && { annotations: ours(metadata.annotations) }) },
    spec: {
      ...(nodeName && { nodeName }),
      ...{ containers: names(containers), initContainers: names(initContainers) },
    },
    ...(status && { status }),
  };
}

const ours = (annotations: NonNullable<ObjectMeta['annotations']>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith('jvs.io/')));
