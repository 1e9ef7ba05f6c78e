// For tests: what the API server does with a patch, and objects to try things on.
import { parseWorkspace, type Workspace } from '../api/workspace.ts';
import type { Pod, PodSpec } from '../runtime/resources.ts';
import type { AgentConfig } from './agent-container.ts';
import type { Operation } from './patch.ts';

/** `document` after a JSON patch of `add`, `replace` and `remove`. */
export function applyPatch(document: unknown, operations: readonly Operation[]): unknown {
  const root = { '': structuredClone(document) };
  for (const operation of operations) {
    const keys = operation.path.split('/').map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], root);
    if (Array.isArray(parent)) {
      const value = operation.op === 'remove' ? [] : [structuredClone(operation.value)];
      const index = Number(last);
      if (index > parent.length) throw new Error(`${operation.path} is beyond the end`);
      parent.splice(index, operation.op === 'add' ? 0 : 1, ...value);
    } else {
      const object = parent as Record<string, unknown>;
      if (operation.op !== 'add' && !Object.hasOwn(object, last)) throw new Error(`no ${operation.path}`);
      if (operation.op === 'remove') delete object[last];
      else object[last] = structuredClone(operation.value);
    }
  }
  return root[''];
}

export const agentConfig: AgentConfig = {
  image: 'registry.test/jvs-agent:1.0.0',
  imagePullPolicy: 'IfNotPresent',
  resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
  linkAddress: 'jvs-operator.jvs-system.svc:8443',
  logLevel: 'info',
};

export const workspaceNamed = (name: string, spec: object = {}): Workspace =>
  parseWorkspace({ metadata: { name, namespace: 'default', uid: `uid-${name}` }, spec });

export const podWith = (spec: Partial<PodSpec>, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'pod', namespace: 'default', labels: { 'jvs.io/workspace': 'ws' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'busybox' }], ...spec },
});
