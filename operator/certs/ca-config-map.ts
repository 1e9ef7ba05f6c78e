import type { ConfigMap } from '../runtime/resources.ts';

export const caName = 'jvs-operator-ca';
export const caKey = 'ca.crt';

/** Holds the authorities that the agents of a namespace trust, for their projected volume `jvs-agent-link`. */
export function caConfigMap(namespace: string, caBundle: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: caName,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'jvs-operator' },
    },
    data: { [caKey]: caBundle },
  };
}
