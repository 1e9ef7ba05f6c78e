import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from './config.ts';

const required = { JVS_AGENT_IMAGE: 'jvs-agent:1' };

test('only the agent image has to be given', () => {
  expect(parseConfig([], required)).toMatchObject({
    namespace: 'jvs-system',
    agent: { image: 'jvs-agent:1', linkAddress: 'jvs-operator.jvs-system.svc:8443' },
    ports: { webhook: 9443, link: 8443 },
    staticVolumes: false,
  });
  expect(() => parseConfig([], {})).toThrow(/JVS_AGENT_IMAGE \(--agent-image\)/);
});

test('agents verify as they do by themselves unless it is said otherwise', () => {
  const { agent } = parseConfig([], { ...required, JVS_AGENT_VERIFY_BYTES_PER_SECOND: '' });
  expect([agent.verifyBytesPerSecond, agent.verifyInterval]).toEqual([undefined, undefined]);
  const asked = { JVS_AGENT_VERIFY_BYTES_PER_SECOND: '0', JVS_AGENT_VERIFY_INTERVAL: '30d' };
  expect(parseConfig([], { ...required, ...asked }).agent).toMatchObject({
    verifyBytesPerSecond: 0,
    verifyInterval: '30d',
  });
  for (const bad of ['weekly', '0s']) {
    expect(() => parseConfig(['--agent-verify-interval', bad], required)).toThrow(
      /JVS_AGENT_VERIFY_INTERVAL .*must be a duration/,
    );
  }
});

test('what agents are started with is what they take', () => {
  const level = (text: string) => parseConfig(['--agent-log-level', text], required).agent.logLevel;
  expect(['trace', 'error'].map(level)).toEqual(['trace', 'error']);
  for (const bad of ['fatal', 'loud']) expect(() => level(bad)).toThrow(/JVS_AGENT_LOG_LEVEL/);
  const memory = (text: string) =>
    parseConfig([`--agent-memory-request=${text}`], required).agent.resources.requests.memory;
  for (const good of ['64k', '65536', '64Mi', '0.5Gi', '1e8']) expect(memory(good)).toBe(good);
  for (const bad of ['64K', '64mi', '1.2.3', '.', '-1']) {
    expect(() => memory(bad)).toThrow(/JVS_AGENT_MEMORY_REQUEST .*must be a quantity/);
  }
});

test('agents are given no address that they would not start with', () => {
  const address = (text: string) => parseConfig(['--link-address', text], required).agent.linkAddress;
  for (const good of ['jvs.example.com:8443', '192.0.2.1:8443', '[2001:db8::1]:8443']) {
    expect(address(good)).toBe(good);
  }
  for (const bad of ['https://jvs.example.com:8443', '2001:db8::1:8443', 'jvs.example.com:84430', ':8443']) {
    expect(() => address(bad), bad).toThrow(/JVS_LINK_ADDRESS \(--link-address\): must be host:port/);
  }
});

test('a list may have spaces after its commas', () => {
  const spaced = { JVS_NAMESPACES: 'team-a, team-b', JVS_CERTIFICATE_NAMES: 'a.example.com, 192.0.2.1,' };
  expect(parseConfig([], { ...required, ...spaced })).toMatchObject({
    namespaces: ['team-a', 'team-b'],
    certificateNames: ['a.example.com', '192.0.2.1'],
  });
});

test('a level of the log that is none is named like any other setting, and an empty one is the default', () => {
  const level = (text: string) => parseConfig([], { ...required, LOG_LEVEL: text }).logLevel;
  expect(['', 'debug', 'WARN', 'silent'].map(level)).toEqual(['info', 'debug', 'warn', 'silent']);
  expect(() => level('loud')).toThrow(/LOG_LEVEL \(--log-level\)/);
});

test('flags win over the environment', () => {
  const config = parseConfig(['--link-port', '1234'], { ...required, JVS_LINK_PORT: '4321' });
  expect(config.ports.link).toBe(1234);
});

test('every bad setting is named', () => {
  const bad = {
    ...required,
    JVS_LINK_PORT: 'x',
    JVS_WEBHOOK_URL: 'http://plain',
    JVS_AGENT_MEMORY_LIMIT: 'much',
  };
  expect(() => parseConfig([], bad)).toThrow(/MEMORY_LIMIT.*WEBHOOK_URL.*LINK_PORT/);
});

test('an unknown flag is refused', () => {
  expect(() => parseConfig(['--replicas', '3'], required)).toThrow(/--replicas/);
});

test('every setting is in the runbook', () => {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const settings = [...read('config.ts').matchAll(/^ {2}(JVS_\w+): /gm)].map(([, name]) => name);
  expect(settings.length).toBeGreaterThan(15);
  for (const name of settings) expect(read('../docs/operations.md')).toContain(`| \`${name}\` |`);
});
