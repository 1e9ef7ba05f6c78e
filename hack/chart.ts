// The Helm chart, made from config/: what the manifests say and, where a value says otherwise, that.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isSeq, parseAllDocuments, parseDocument, stringify } from 'yaml';
import { parseConfig as parseAgent } from '../agent/config.ts';
import { parseConfig } from '../operator/config.ts';
import { version } from '../shared/version.ts';

const root = join(import.meta.dirname, '..');
const namespace = 'jvs-system';
const expression = (text: string) => `{{ ${text} }}`;

/** Value → the setting of the operator that it becomes; JVS_… of operator/config.ts. */
const settings: Record<string, string> = {
  historyLimit: 'JVS_HISTORY_LIMIT',
  'agent.cpuRequest': 'JVS_AGENT_CPU_REQUEST',
  'agent.memoryRequest': 'JVS_AGENT_MEMORY_REQUEST',
  'agent.cpuLimit': 'JVS_AGENT_CPU_LIMIT',
  'agent.memoryLimit': 'JVS_AGENT_MEMORY_LIMIT',
  'agent.logLevel': 'JVS_AGENT_LOG_LEVEL',
  'agent.verifyBytesPerSecond': 'JVS_AGENT_VERIFY_BYTES_PER_SECOND',
  'agent.verifyInterval': 'JVS_AGENT_VERIFY_INTERVAL',
};

const defaults = parseConfig(['--agent-image', 'any'], {});
const { requests, limits } = defaults.agent.resources;
const ofAgent = parseAgent([], {});

const values = (
  deployment: Deployment,
) => `# What is null is left to the operator, whose default is in brackets. More settings: docs/operations.md.

replicas: ${deployment.spec.replicas}

image:
  repository: ${repository('operator')}
  # The chart's appVersion when empty.
  tag: ""
imagePullSecrets: []

resources:
${indent(stringify(containerOf(deployment).resources), 2)}priorityClassName: ${deployment.spec.template.spec.priorityClassName}
nodeSelector: {}
tolerations: []

# The only namespaces whose Workspaces count; all when empty. They have to exist: a RoleBinding is made in each.
namespaces: []

# How many snapshots that nobody made a resource for are shown as one, for each Workspace (${defaults.historyLimit}).
historyLimit: null

# Of the sidecar that pods of workspaces get; annotations of a pod override them.
agent:
  image:
    repository: ${repository('agent')}
    tag: ""
  # (${requests.cpu})
  cpuRequest: null
  # (${requests.memory})
  memoryRequest: null
  # (${limits.cpu ?? 'none: a throttled agent only holds its own snapshots up'})
  cpuLimit: null
  # (${limits.memory})
  memoryLimit: null
  # trace, debug, info, warn or error (${defaults.agent.logLevel})
  logLevel: null
  # How fast idle agents read snapshots again to verify them; 0 for never (${ofAgent['verify-bytes-per-second']}).
  verifyBytesPerSecond: null
  # How often each (${ofAgent['verify-interval'] / 3_600_000}h).
  verifyInterval: null

# JuiceFS volumes of the operator's making, for Workspaces with juiceFsConfig and no storage class. It gets the right
# to make PersistentVolumes, for the whole cluster.
juicefs:
  enabled: false

# Only where the API server answers at port 443 or 6443.
networkPolicy:
  enabled: false

# Certificates of cert-manager's making instead of the operator's own.
certManager:
  enabled: false

# Alerts, for the Prometheus Operator. They need the metrics: podMonitor, or a scrape job as in docs/operations.md.
prometheusRule:
  enabled: false

# What scrapes the operator and the agents, for the Prometheus Operator.
podMonitor:
  enabled: false
`;

interface Container {
  image: string;
  env: { name: string; value?: unknown }[];
  resources: object;
}
interface Deployment {
  spec: {
    replicas: unknown;
    template: { spec: { containers: [Container]; priorityClassName: string } & Record<string, unknown> };
  };
}

const containerOf = (deployment: Deployment): Container => deployment.spec.template.spec.containers[0];
const repository = (part: string) => `ghcr.io/jvs-project/jvs-${part}`;
const indent = (text: string, by: number) => text.replaceAll(/^(?=.)/gm, ' '.repeat(by));
const given = (value: string) => `not (kindIs "invalid" .Values.${value})`;

/** Writes Chart.yaml, values.yaml and the templates. */
export function writeChart(directory: string): void {
  mkdirSync(join(directory, 'templates'), { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), `${notice}${text}`);
  const template = (name: string, text: string) => write(`templates/${name}`, text);

  write('Chart.yaml', stringify(chart));
  write('values.yaml', values(parseDocument(read('config/manager/operator.yaml')).toJS() as Deployment));
  for (const name of readdirSync(join(root, 'config/crd/bases'))) template(name, definition(name));
  template('operator.yaml', operator(read('config/manager/operator.yaml')));
  template('availability.yaml', availability(read('config/manager/availability.yaml')));
  template('services.yaml', placed(read('config/manager/services.yaml')));
  template('webhook.yaml', webhooks(read('config/manager/webhook.yaml')));
  template('rbac.yaml', rbac(read('config/rbac/operator.yaml')));
  template('users.yaml', read('config/rbac/users.yaml'));
  const optional = {
    juicefs: 'juicefs/component/volumes',
    networkPolicy: 'network/policy',
    certManager: 'cert-manager/certificates',
    podMonitor: 'prometheus/monitors',
  };
  for (const [value, file] of Object.entries(optional)) {
    template(
      `${file.replace('/component', '').replace('/', '-')}.yaml`,
      when(`.Values.${value}.enabled`, placed(read(`config/${file}.yaml`))),
    );
  }
  // Prometheus has templates of its own in there.
  const rules = read('config/prometheus/rules.yaml').replaceAll(/\{\{.*?\}\}/g, (text) =>
    expression(`\`${text}\``),
  );
  template('prometheus-rules.yaml', when('.Values.prometheusRule.enabled', placed(rules)));
}

const notice = '# Generated by npm run generate from config/ and hack/chart.ts.\n';
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const when = (condition: string, text: string) => `{{- if ${condition} }}\n${text.trimEnd()}\n{{- end }}\n`;

const chart = {
  apiVersion: 'v2',
  name: 'jvs-operator',
  description: 'Checkpoint, roll back and branch working directories on Kubernetes',
  type: 'application',
  version,
  appVersion: version,
  kubeVersion: '>= 1.29.0-0',
  annotations: { 'artifacthub.io/license': 'Apache-2.0' },
};

/** In the release's namespace instead of jvs-system. */
const placed = (text: string): string => text.replaceAll(namespace, expression('.Release.Namespace'));

/** Helm upgrades it, and never deletes it: with it would go every Workspace and Snapshot. */
function definition(name: string): string {
  const document = parseDocument(read(`config/crd/bases/${name}`));
  document.commentBefore = null;
  document.setIn(['metadata', 'annotations', 'helm.sh/resource-policy'], 'keep');
  return document.toString();
}

function operator(manifest: string): string {
  const document = parseDocument(manifest);
  const pod = ['spec', 'template', 'spec'];
  const container = [...pod, 'containers', 0];
  const marks = new Map<string, string>();
  /** Puts a template where no string of YAML's may stand; the mark is replaced in the text. */
  const mark = (text: string): string => {
    const name = `@${marks.size}@`;
    marks.set(name, text);
    return name;
  };
  const image = (path: string) =>
    mark(
      expression(`.Values.${path}.repository`) +
        ':' +
        expression(`.Values.${path}.tag | default .Chart.AppVersion`),
    );
  document.setIn(['spec', 'replicas'], mark(expression('.Values.replicas')));
  document.setIn([...pod, 'priorityClassName'], mark(expression('.Values.priorityClassName')));
  document.setIn([...container, 'image'], image('image'));
  document.setIn([...container, 'resources'], mark(expression('toJson .Values.resources')));
  const env = document.getIn([...container, 'env']);
  if (!isSeq(env)) throw new Error('config/manager/operator.yaml: the operator has no env');
  const stated = new Set<unknown>();
  for (const entry of env.items) {
    if (!isMap(entry)) continue;
    const name = entry.get('name');
    stated.add(name);
    if (name === 'JVS_AGENT_IMAGE') entry.set('value', image('agent.image'));
    const value = Object.keys(settings).find((key) => settings[key] === name);
    if (value) {
      const otherwise = JSON.stringify(String(entry.get('value')));
      const text = `if ${given(value)} }}{{ quote .Values.${value} }}{{ else }}${otherwise}{{ end`;
      entry.set('value', mark(expression(text)));
    }
  }
  const more = Object.entries(settings).filter(([, name]) => !stated.has(name));
  env.add(document.createNode(mark('environment')));
  let text = placed(document.toString());
  const set = (name: string, value: string) => `- name: ${name}\n  value: ${value}`;
  const line = (condition: string, block: string) => `{{- if ${condition} }}\n${block}\n{{- end }}`;
  const environment = [
    line('.Values.namespaces', set('JVS_NAMESPACES', expression('join "," .Values.namespaces | quote'))),
    line('.Values.certManager.enabled', set('JVS_CERTIFICATES', 'external')),
    line('.Values.juicefs.enabled', set('JVS_STATIC_VOLUMES', '"true"')),
    // An integer of a chart is a float, and would be written as one.
    ...more.map(([value, name]) =>
      line(given(value), set(name, expression(`.Values.${value} | toJson | trimAll "\\"" | quote`))),
    ),
  ].join('\n');
  for (const [name, replacement] of marks) {
    if (replacement !== 'environment') text = text.replace(new RegExp(`"?${name}"?`), () => replacement);
    else
      text = text.replace(new RegExp(`^( *)- "?${name}"?$`, 'm'), (_, by: string) =>
        indent(environment, by.length),
      );
  }
  const options = ['nodeSelector', 'tolerations', 'imagePullSecrets'].map((value) =>
    line(`.Values.${value}`, `${value}: ${expression(`toJson .Values.${value}`)}`),
  );
  return text.replace(
    /^( *)serviceAccountName:/m,
    (found, by: string) => `${indent(options.join('\n'), by.length)}\n${found}`,
  );
}

/** In kube-system the quota is not needed, and would count pods of the cluster's own. */
function availability(manifest: string): string {
  const [disruption, quota] = placed(manifest).split(/^---\n/m);
  return `${disruption}---\n${when('ne .Release.Namespace "kube-system"', quota ?? '')}`;
}

/** With `namespaces` only those; else all but kube-system and the operator's own. */
function webhooks(manifest: string): string {
  const chosen = expression('toJson .Values.namespaces');
  const own = placed(manifest).replace(
    /^ *operator: NotIn\n *values: \[kube-system, .*\]$/m,
    (otherwise) =>
      `{{- if .Values.namespaces }}\n          operator: In\n          values: ${chosen}\n{{- else }}\n${otherwise}\n{{- end }}`,
  );
  const selector = `    namespaceSelector:\n      matchExpressions:\n        - key: kubernetes.io/metadata.name\n          operator: In\n          values: ${chosen}\n`;
  return own.replace(
    /^ {4}matchConditions:$/m,
    (found) => `{{- if .Values.namespaces }}\n${selector}{{- end }}\n${found}`,
  );
}

/** The rights in namespaces are bound for all of them, or in each of `namespaces`. */
function rbac(manifest: string): string {
  const documents = parseAllDocuments(manifest).map((document) => {
    const text = placed(document.toString().replace(/^---\n/, ''));
    if (
      document.get('kind') !== 'ClusterRoleBinding' ||
      document.getIn(['metadata', 'name']) !== 'jvs-operator-workspaces'
    )
      return text;
    const each = text
      .replace('kind: ClusterRoleBinding', 'kind: RoleBinding')
      .replace(/^metadata:\n/m, (found) => `${found}  namespace: {{ . }}\n`)
      .replaceAll('.Release.Namespace', '$.Release.Namespace');
    return `{{- range .Values.namespaces }}\n---\n${each}{{- else }}\n${text}{{- end }}\n`;
  });
  return documents.join('---\n');
}
