import { expect, test } from 'vitest';
import { proxyFromEnvironment } from './proxy.ts';

const proxy = 'http://proxy.example:3128';
const through = (server: string, NO_PROXY = '', more = {}) =>
  proxyFromEnvironment(new URL(server), { HTTPS_PROXY: proxy, NO_PROXY, ...more });

test('the proxy is that of the scheme, whatever the case of its variable; without a scheme it is an HTTP one', () => {
  expect(through('https://api.example:6443')).toBe(proxy);
  expect(through('http://api.example')).toBeUndefined();
  expect(through('https://api.example', '', { HTTPS_PROXY: '', https_proxy: 'other:80' })).toBe(
    'http://other:80',
  );
  expect(proxyFromEnvironment(new URL('https://api.example'), {})).toBeUndefined();
});

test.each([
  ['https://localhost:6443', ''],
  ['https://127.8.0.1:6443', ''],
  ['https://[::1]:6443', ''],
  ['https://api.example', '*'],
  ['https://api.example', 'other, Example'],
  ['https://api.example', '.example'],
  ['https://api.example', '*.example'],
  ['https://api.example:6443', 'api.example:6443'],
  ['https://api.example', 'api.example:443'],
  ['https://10.1.2.3:6443', '192.168.0.0/16,10.0.0.0/8'],
  ['https://10.1.2.3:6443', '10.1.2.3'],
  ['https://10.1.2.3:6443', '10.1.2.3:6443'],
  ['https://[fd00::12]:6443', 'fd00::/8'],
  ['https://[fd00::12]:6443', 'fd00::12'],
  ['https://[fd00::12]:6443', '[fd00::12]:6443'],
])('%s is reached without one where NO_PROXY is "%s"', (server, noProxy) => {
  expect(through(server, noProxy)).toBeUndefined();
});

test.each([
  ['https://example', '.example'],
  ['https://notexample', 'example'],
  ['https://api.example', 'api.example:6443'],
  ['https://10.1.2.3', '10.2.0.0/16,fd00::/8,10.1.2.3/200,10.1.2.4'],
  ['https://10.example', '10.0.0.0/8'],
  ['https://[fd00::12]', 'fe80::/16'],
])('%s is reached through it where NO_PROXY is "%s"', (server, noProxy) => {
  expect(through(server, noProxy)).toBe(proxy);
});
