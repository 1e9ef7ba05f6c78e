import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { runCli } from './cli.ts';
import { Kube } from './kube.ts';

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

test('goes through the proxy that the environment names, as kubectl does', async () => {
  await serve((_, response) => response.end(JSON.stringify({ items: [] })));
  const port = (server?.address() as AddressInfo | undefined)?.port ?? 0;
  const asked: string[] = [];
  const proxy = createServer().on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    const there = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    there.pipe(socket).pipe(there);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const kube = new Kube({ kubeconfig: kubeconfigOf('http://api.invalid:8001') });
    expect(await kube.list('workspaces')).toEqual([]);
    expect(asked).toEqual(['api.invalid:8001']);
    vi.stubEnv('NO_PROXY', 'invalid');
    const direct = new Kube({ kubeconfig: kubeconfigOf('http://api.invalid:8001') });
    await expect(direct.list('workspaces')).rejects.toThrow(/api\.invalid/);
  } finally {
    proxy.close();
  }
});

test('options that are empty are none, as with kubectl', () => {
  const kubeconfig = kubeconfigOf('https://127.0.0.1');
  expect(new Kube({ kubeconfig, namespace: '', context: '' }).namespace).toBe('ml');
  vi.stubEnv('KUBECONFIG', kubeconfig);
  expect(new Kube({ kubeconfig: '' }).namespace).toBe('ml');
});

test('the cluster and namespace are those of kubectl where KUBECONFIG names several files', () => {
  const first = kubeconfigOf('https://127.0.0.1');
  const second = join(directory, 'second');
  writeFileSync(second, readFileSync(first, 'utf8').replaceAll(/: x$/gm, ': y').replace('ml', 'other'));
  vi.stubEnv('KUBECONFIG', [first, second].join(delimiter));
  expect(new Kube({}).namespace).toBe('ml');
  expect(new Kube({ context: 'y' }).namespace).toBe('other');
});

test('a server that is no URL is named', () => {
  for (const bad of ['127.0.0.1:6443', 'localhost:6443']) {
    expect(() => new Kube({ kubeconfig: kubeconfigOf(bad) }), bad).toThrow(
      `the kubeconfig has server "${bad}" for cluster "c", which is no URL`,
    );
  }
});

test('a log that breaks off says so, after what came', async () => {
  const kubeconfig = await serve(({ url = '' }, response) => {
    if (!url.endsWith('/log?container=jvs-agent')) {
      response.end(
        JSON.stringify({
          metadata: { name: 'train' },
          spec: {},
          status: { agent: { pod: 'p' } },
          items: [{ metadata: { name: 'p' } }],
        }),
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
