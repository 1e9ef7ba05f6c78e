import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from './config.ts';

const failure = (argv: string[], env: NodeJS.ProcessEnv): string => {
  try {
    parseConfig(argv, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('accepted');
};

test('with nothing given it serves /jvs, without a link', () => {
  const config = parseConfig([], {});
  expect(config).toMatchObject({
    volume: '/jvs',
    engine: 'copy',
    'debug-address': '127.0.0.1:7443',
    'health-port': 7444,
    'transfer-port': 7445,
    worktree: 'main',
  });
  expect(config['link-address']).toBeUndefined();
  expect(config.pod).not.toBe('');
});

test('a flag wins over its variable, and an empty variable counts as unset', () => {
  const env = { JVS_VOLUME: '/a', JVS_HEALTH_PORT: '1', JVS_ENGINE: '' };
  expect(parseConfig(['--volume', '/b', '--health-port=2'], env)).toMatchObject({
    volume: '/b',
    'health-port': 2,
    engine: 'copy',
  });
});

test('durations are as in the API', () => {
  expect(parseConfig([], { JVS_VERIFY_INTERVAL: '2d' })).toMatchObject({ 'verify-interval': 172_800_000 });
  expect(failure(['--verify-interval=soon'], {})).toBe(
    '--verify-interval must be a duration such as 48h or 7d; it is "soon"',
  );
});

test('every wrong variable is named, with its value', () => {
  const message = failure([], { JVS_ENGINE: 'zfs', JVS_HEALTH_PORT: '70000', JVS_VOLUME: 'jvs' });
  expect(message.split('\n').sort()).toEqual([
    'JVS_ENGINE (--engine) must be copy, reflink-copy or juicefs-clone; it is "zfs"',
    'JVS_HEALTH_PORT (--health-port) must be from 0 to 65535; it is "70000"',
    'JVS_VOLUME (--volume) must be an absolute path; it is "jvs"',
  ]);
});

test('a wrong flag is named as a flag', () => {
  expect(failure(['--debug-address', 'localhost'], {})).toMatch(/^--debug-address must be host:port/);
  expect(failure(['--debug-address', '127.0.0.1:74430'], {})).toMatch(/^--debug-address must be host:port/);
  expect(failure(['--nonsense', 'x'], {})).toContain('--nonsense');
});

test('a link needs to know whose it is', () => {
  const message = failure([], { JVS_LINK_ADDRESS: 'jvs-operator.jvs-system.svc:8443' });
  expect(message).toContain('JVS_WORKSPACE_NAME (--workspace) must be set where JVS_LINK_ADDRESS');
  expect(message).toContain('JVS_NAMESPACE');
});
