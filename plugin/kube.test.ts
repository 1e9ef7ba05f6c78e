import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { runCli } from './cli.ts';

let directory: string;
let server: Server | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jvs-kube-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

/** A kubeconfig of an API server at that URL. */
function kubeconfigOf(url: string): string {
  const file = join(directory, 'config');
  const config = {
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'ml' } }],
    'current-context': 'x',
  };
  writeFileSync(file, stringify(config));
  return file;
}

async function serve(answer: RequestListener): Promise<string> {
  const started = createServer(answer);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return kubeconfigOf(`http://127.0.0.1:${(started.address() as AddressInfo).port}`);
}

/** `seen` is told what comes to stderr, which is a terminal. */
async function jvs(argv: string[], seen: (text: string) => void = () => {}) {
  const said = { stdout: '', stderr: '' };
  const to = (name: keyof typeof said) => ({
    isTTY: name === 'stderr',
    write: (bytes: string | Uint8Array) => {
      const text = Buffer.from(bytes as Uint8Array).toString();
      said[name] += text;
      if (name === 'stderr') seen(text);
    },
  });
  const around = { stdout: to('stdout'), stderr: to('stderr'), env: {}, now: () => new Date() };
  return { code: await runCli(argv, around), ...said };
}

test('a log that breaks off says so, after what came', async () => {
  const kubeconfig = await serve(({ url = '' }, response) => {
    if (!url.endsWith('/log?container=jvs-agent')) {
      response.end(
        JSON.stringify({ metadata: { name: 'train' }, spec: {}, status: { agent: { pod: 'p' } }, items: [] }),
      );
      return;
    }
    response.write('first line\n', () => response.destroy());
  });
  const ended = await jvs(['logs', 'train', '--kubeconfig', kubeconfig]);
  expect(ended).toMatchObject({ code: 1, stdout: 'first line\n' });
  expect(ended.stderr).toMatch(
    /^kubectl jvs: http:\/\/127.0.0.1:\d+ broke off its answer: .* \(does kubectl/,
  );
});

test('what is waited for is seen though its watch was lost without a word', async () => {
  const lost = new AbortController();
  const { timeout } = AbortSignal;
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => (ms > 60_000 ? lost.signal : timeout(ms)));
  let phase = 'Pending';
  const snapshot = () => ({
    metadata: { name: 'train', resourceVersion: '1' },
    spec: {},
    status: { phase, snapshotID: '1795507921120-0badcafe' },
  });
  const kubeconfig = await serve(({ url = '' }, response) => {
    if (!url.includes('watch=true')) return response.end(JSON.stringify(snapshot()));
    phase = 'InProgress';
    return response.write(`${JSON.stringify({ type: 'MODIFIED', object: snapshot() })}\n`);
  });
  const ended = await jvs(['snapshot', 'train', '--wait', '--kubeconfig', kubeconfig], (text) => {
    if (!text.includes('InProgress')) return;
    phase = 'Ready';
    lost.abort();
  });
  expect(ended).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is done: 1795507921120-0badcafe'),
  });
});
