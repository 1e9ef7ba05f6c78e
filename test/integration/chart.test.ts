// The Helm chart says what config/ says, and what its values say otherwise.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { parseConfig } from '../../operator/config.ts';
import type { Deployment, MutatingWebhookConfiguration } from '../../operator/runtime/resources.ts';
import type { KubeObject } from '../../operator/runtime/types.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { root } from './kubectl.ts';

const run = promisify(execFile);
let helm: string;
let kubectl: string;
let scratch: string;

beforeAll(async () => {
  helm = join(await ensureBinaries(['helm']), 'helm');
  kubectl = join(await ensureBinaries(['kubectl']), 'kubectl');
  scratch = await mkdtemp(join(tmpdir(), 'jvs-chart-'));
}, 900_000);
afterAll(() => rm(scratch, { recursive: true, force: true }));

type Objects = Map<string, KubeObject>;

function objectsIn(text: string): Objects {
  const objects = parseAllDocuments(text).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
  return new Map(
    objects.map((object) => [
      `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`,
      object,
    ]),
  );
}

async function chart(values: object = {}, namespace = 'jvs-system'): Promise<Objects> {
  const file = join(scratch, 'values.yaml');
  await writeFile(file, stringify(values));
  const args = ['-namespace', namespace, '-values', file, join(root, 'charts/jvs-operator')];
  const { stdout } = await run(helm, args, { maxBuffer: 2 ** 26 });
  const objects = objectsIn(stdout);
  for (const { kind, metadata } of objects.values()) {
    if (kind !== 'CustomResourceDefinition') continue;
    // With a definition would go every Workspace.
    expect(metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    delete metadata.annotations;
  }
  return objects;
}

/** Without the Namespace: `helm install --create-namespace` makes it, or whoever owns it. */
async function kustomize(folder: string): Promise<Objects> {
  const { stdout } = await run(kubectl, ['kustomize', folder], { cwd: root, maxBuffer: 2 ** 26 });
  const objects = objectsIn(stdout);
  objects.delete('Namespace//jvs-system');
  return objects;
}

const deploymentOf = (objects: Objects): Deployment =>
  [...objects.values()].find(({ kind }) => kind === 'Deployment') as Deployment;

test.each<[folder: string, values: object]>([
  ['config/default', {}],
  ['config/juicefs', { juicefs: { enabled: true } }],
  ['config/network', { networkPolicy: { enabled: true } }],
  ['config/cert-manager', { certManager: { enabled: true } }],
  ['config/namespaced', { namespaces: ['team-a'] }],
])('it is %s with %j', async (folder, values) => {
  const [rendered, expected] = [await chart(values), await kustomize(folder)];
  // The order of variables is no matter.
  for (const { spec } of [deploymentOf(rendered), deploymentOf(expected)])
    spec?.template.spec?.containers[0]?.env?.sort((a, b) => a.name.localeCompare(b.name));
  expect(rendered).toEqual(expected);
});

test('every value reaches the operator, which takes it', async () => {
  const objects = await chart({
    replicas: 3,
    image: { repository: 'registry.local/op', tag: 'v2' },
    imagePullSecrets: [{ name: 'pull' }],
    resources: { limits: { memory: '1Gi' } },
    nodeSelector: { role: 'infra' },
    tolerations: [{ operator: 'Exists' }],
    historyLimit: 0,
    agent: {
      image: { repository: 'registry.local/agent', tag: 'v3' },
      cpuRequest: '20m',
      memoryRequest: '80Mi',
      cpuLimit: 2,
      memoryLimit: '1Gi',
      logLevel: 'debug',
      verifyBytesPerSecond: 0,
      verifyInterval: '48h',
    },
  });
  const { spec } = deploymentOf(objects);
  const pod = spec?.template.spec;
  expect(spec?.replicas).toBe(3);
  expect(pod).toMatchObject({ nodeSelector: { role: 'infra' }, imagePullSecrets: [{ name: 'pull' }] });
  expect(pod?.tolerations).toEqual([{ operator: 'Exists' }]);
  const [container] = pod?.containers ?? [];
  expect(container).toMatchObject({
    image: 'registry.local/op:v2',
    resources: { limits: { memory: '1Gi' } },
  });
  const environment = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
  expect(parseConfig([], environment)).toMatchObject({
    historyLimit: 0,
    agent: {
      image: 'registry.local/agent:v3',
      resources: { requests: { cpu: '20m', memory: '80Mi' }, limits: { cpu: '2', memory: '1Gi' } },
      logLevel: 'debug',
    },
  });
  expect(environment).toMatchObject({
    JVS_AGENT_VERIFY_BYTES_PER_SECOND: '0',
    JVS_AGENT_VERIFY_INTERVAL: '48h',
  });
});

test('it installs into another namespace, and keeps its own webhook from that', async () => {
  const enabled = { enabled: true };
  const objects = await chart({ prometheusRule: enabled, podMonitor: enabled }, 'elsewhere');
  const namespaces = [...objects.values()].flatMap(({ metadata }) => metadata.namespace ?? []);
  expect(new Set(namespaces)).toEqual(new Set(['elsewhere']));
  const webhook = objects.get('MutatingWebhookConfiguration//jvs-operator') as MutatingWebhookConfiguration;
  expect(webhook.webhooks?.[0]?.clientConfig.service?.namespace).toBe('elsewhere');
  expect(webhook.webhooks?.[0]?.namespaceSelector?.matchExpressions?.[0]?.values).toContain('elsewhere');
  const rules = JSON.stringify(objects.get('PrometheusRule/elsewhere/jvs-operator'));
  expect(rules).toContain('{{ $value }}');
  // Alerts are of no use where nothing is scraped.
  for (const name of ['jvs-operator', 'jvs-agents'])
    expect(objects.has(`PodMonitor/elsewhere/${name}`)).toBe(true);
});

test('it bounds no pods of the cluster where it is installed beside them', async () => {
  const kinds = (objects: Objects) => [...objects.values()].map(({ kind }) => kind);
  expect(kinds(await chart({}, 'elsewhere'))).toContain('ResourceQuota');
  expect(kinds(await chart({}, 'kube-system'))).not.toContain('ResourceQuota');
});
