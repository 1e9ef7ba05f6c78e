// The NetworkPolicies in config/network, against the ports that operator and agents listen on and dial.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { parseConfig as parseAgent } from '../agent/config.ts';
import { parseConfig } from '../operator/config.ts';
import { transferPort } from '../operator/transfer/plan.ts';
import { injectAgent } from '../operator/webhook/inject.ts';
import { agentConfig, podWith, workspaceNamed } from '../operator/webhook/testing.ts';

const read = (path: string) => readFileSync(new URL(`../config/${path}`, import.meta.url), 'utf8');

const labels = z.record(z.string(), z.string());
const selector = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: z.array(z.strictObject({ key: z.string(), operator: z.literal('Exists') })).default([]),
});
const peer = z.strictObject({ namespaceSelector: selector.optional(), podSelector: selector.optional() });
const rule = z.strictObject({
  from: z.tuple([peer]).optional(),
  to: z.tuple([peer]).optional(),
  ports: z.array(
    z.strictObject({
      port: z.union([z.string(), z.number()]),
      protocol: z.enum(['TCP', 'UDP']).default('TCP'),
    }),
  ),
});
const policy = z.object({
  spec: z.strictObject({
    podSelector: selector,
    policyTypes: z.tuple([z.literal('Ingress'), z.literal('Egress')]),
    ingress: z.array(rule),
    egress: z.array(rule),
  }),
});
type Rule = z.infer<typeof rule>;
type Labels = Record<string, string>;

const ofOperator = policy.parse(parse(read('network/policy.yaml'))).spec;
const ofAgents = policy.parse(parse(read('network/workspaces.yaml'))).spec;

const port = z.object({ name: z.string(), containerPort: z.number() });
const { metadata: operatorPod, spec: operatorSpec } = z
  .object({
    metadata: z.object({ labels }),
    spec: z.object({ containers: z.tuple([z.object({ ports: z.array(port) })]) }),
  })
  .parse(parse(read('manager/operator.yaml')).spec.template);
const portsOfOperator = Object.fromEntries(
  operatorSpec.containers[0].ports.map(({ name, containerPort }) => [name, containerPort]),
);
const operator = parseConfig(['--agent-image', 'image'], {});
const agent = parseAgent([], {});
const { pod: agentPod } = injectAgent(podWith({}), workspaceNamed('ws'), agentConfig);

/** Sorted, `number/protocol` of each port of each rule: one that two rules name is there twice. */
const portsIn = (rules: readonly Rule[]): string[] =>
  rules
    .flatMap(({ ports }) => ports)
    .map(({ port, protocol }) => `${portsOfOperator[port] ?? port}/${protocol}`)
    .sort();
const expected = (tcp: readonly number[], more: readonly string[] = []) =>
  [...tcp.map((number) => `${number}/TCP`), ...more].sort();
const dns = ['53/TCP', '53/UDP'];

const selects = (of: z.infer<typeof selector> | undefined, having: Labels): boolean =>
  of === undefined ||
  (Object.entries(of.matchLabels).every(([key, value]) => having[key] === value) &&
    of.matchExpressions.every(({ key }) => Object.hasOwn(having, key)));
const ruleFor = (rules: readonly Rule[], number: number): Rule | undefined =>
  rules.find((one) => portsIn([one]).includes(`${number}/TCP`));

const agentLabels = agentPod.metadata.labels ?? {};

test('manifest, Service and configuration have the same ports', () => {
  expect(portsOfOperator).toEqual(operator.ports);
  const services = parseAllDocuments(read('manager/services.yaml')).map((document) => document.toJS());
  const link = services.find(({ metadata }) => metadata.name === 'jvs-operator');
  // Some networks look at the port that is dialled, others at the one behind the Service.
  expect(link.spec.ports).toMatchObject([{ port: operator.ports.link, targetPort: 'link' }]);
  expect(operator.agent.linkAddress).toMatch(new RegExp(`:${operator.ports.link}$`));
  expect(transferPort).toBe(agent['transfer-port']);
});

test('what the operator listens on is in one rule each, and what it dials; no rule names more', () => {
  expect(selects(ofOperator.podSelector, operatorPod.labels)).toBe(true);
  expect(portsIn(ofOperator.ingress)).toEqual(expected(Object.values(operator.ports)));
  // The API server, by the Service and by the port of most, and DNS: no configuration of ours has these.
  expect(portsIn(ofOperator.egress)).toEqual(expected([443, 6443], dns));
});

test('what agents listen on beyond the loopback is in one rule each, and what they dial; no rule names more', () => {
  expect(selects(ofAgents.podSelector, agentLabels)).toBe(true);
  expect(agent['debug-address']).toMatch(/^127\.0\.0\.1:/);
  const listens = agentPod.spec?.initContainers?.[0]?.ports?.map(({ containerPort }) => containerPort) ?? [];
  expect(listens).toEqual([agent['health-port'], agent['transfer-port']]);
  expect(portsIn(ofAgents.ingress)).toEqual(expected(listens));
  expect(portsIn(ofAgents.egress)).toEqual(expected([operator.ports.link, transferPort], dns));
});

test('both ends of a connection name each other', () => {
  const [from] = ruleFor(ofOperator.ingress, operator.ports.link)?.from ?? [];
  expect(from && selects(from.podSelector, agentLabels)).toBe(true);
  expect(from && selects(from.podSelector, { app: 'another' })).toBe(false);
  const [to] = ruleFor(ofAgents.egress, operator.ports.link)?.to ?? [];
  expect(to && selects(to.podSelector, operatorPod.labels)).toBe(true);
  expect(to?.namespaceSelector?.matchLabels).toEqual({ 'kubernetes.io/metadata.name': operator.namespace });
  // Agents of one namespace, and no others.
  const [source] = ruleFor(ofAgents.ingress, transferPort)?.from ?? [];
  const [target] = ruleFor(ofAgents.egress, transferPort)?.to ?? [];
  expect(source).toEqual(target);
  expect(source).toEqual({ podSelector: ofAgents.podSelector });
  // Probes come from the node, webhooks from the API server: from addresses that no selector matches.
  for (const number of [operator.ports.health, operator.ports.webhook])
    expect(ruleFor(ofOperator.ingress, number)?.from).toBeUndefined();
  expect(ruleFor(ofAgents.ingress, agent['health-port'])?.from).toBeUndefined();
});
