import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { loadKubeconfig } from './kubeconfig.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jvs-kubeconfig-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

function written(name: string, content: object | string): string {
  const file = join(directory, name);
  writeFileSync(file, typeof content === 'string' ? content : stringify(content));
  return file;
}

/** A cluster, a user `admin` and a context. */
const configOf = (name: string) => ({
  clusters: [{ name, cluster: { server: `https://${name}:6443` } }],
  users: [{ name: 'admin', user: { token: `of-${name}` } }],
  contexts: [{ name, context: { cluster: name, user: 'admin' } }],
  'current-context': name,
});

const named = (...files: string[]) => vi.stubEnv('KUBECONFIG', files.join(delimiter));

test('of several files what comes first counts, as with kubectl', () => {
  named(written('a', configOf('production')), written('b', configOf('test')));
  const config = loadKubeconfig();
  expect(config.getCurrentContext()).toBe('production');
  expect(config.getCurrentUser()?.token).toBe('of-production');
  config.setCurrentContext('test');
  expect(config.getCurrentCluster()?.server).toBe('https://test:6443');
});

test('a file that says the context alone goes before the one with all the rest', () => {
  const all = { ...configOf('production'), 'current-context': 'elsewhere' };
  named(written('here', { 'current-context': 'production' }), written('all', all));
  expect(loadKubeconfig().getCurrentCluster()?.server).toBe('https://production:6443');
});

test('files that are not there, or empty, are none; where no other is, that is said', () => {
  named(join(directory, 'gone'), written('empty', '# nothing\n'), written('b', configOf('test')));
  expect(loadKubeconfig().getCurrentContext()).toBe('test');
  named(join(directory, 'gone'));
  expect(() => loadKubeconfig()).toThrow('ENOENT');
});

test('an entry that is not whole is missing only where it is needed', () => {
  const config = configOf('test');
  const contexts = [...config.contexts, { name: 'half', context: { namespace: 'ml' } }];
  const users = [null, ...config.users];
  expect(loadKubeconfig(written('a', { ...config, contexts, users })).getCurrentUser()?.name).toBe('admin');
});

test.each(['KUBECONFIG', 'HOME'])(
  'the token of a file, by its path from that of %s, goes before one beside it',
  async (by) => {
    const users = [{ name: 'admin', user: { token: 'old', tokenFile: 'token' } }];
    mkdirSync(join(directory, '.kube'));
    const file = written('.kube/config', { ...configOf('test'), users });
    named(...(by === 'HOME' ? [] : [file]));
    vi.stubEnv('HOME', directory);
    const config = loadKubeconfig();
    for (const token of ['of-the-file', 'the-next']) {
      written('.kube/token', `${token}\n`);
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      expect(options.headers).toEqual({ Authorization: `Bearer ${token}` });
    }
  },
);

test("the user's own file may be empty", () => {
  mkdirSync(join(directory, '.kube'));
  written('.kube/config', '');
  named();
  vi.stubEnv('HOME', directory);
  expect(loadKubeconfig().getContexts()).toEqual([]);
});
