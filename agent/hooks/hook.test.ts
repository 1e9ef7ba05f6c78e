import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { hooksOf, runHook } from './hook.ts';

const context = { hook: 'preSnapshot', worktree: 'main', volume: '/jvs' } as const;
const stops: (() => unknown)[] = [];
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hooks-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(directory, { recursive: true });
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const call = (port: number, timeout = 5000) =>
  runHook({ http: { port, path: '/freeze?x=1' }, timeout }, context);
const run = (command: string[], timeout = 5000, signal?: AbortSignal) =>
  runHook({ exec: { command }, timeout }, context, signal);
const sh = (script: string) => ['sh', '-c', script];

test('what the operator says, with bounds on what an old one may leave out', () => {
  expect(hooksOf(null)).toBeUndefined();
  expect(hooksOf({ preSnapshot: null, postSnapshot: null })).toBeUndefined();
  expect(
    hooksOf({
      preSnapshot: { http: { port: 80, path: '' }, timeoutSeconds: 0 },
      postSnapshot: { exec: { command: ['thaw'] }, timeoutSeconds: 9999 },
    }),
  ).toEqual({
    pre: { http: { port: 80, path: '/' }, timeout: 30_000 },
    post: { exec: { command: ['thaw'] }, timeout: 3_600_000 },
  });
});

test('an HTTP hook posts to this pod; 2xx is success', async () => {
  const seen: string[] = [];
  const port = await serve((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.writeHead(204).end();
  });
  await call(port);
  expect(seen).toEqual(['POST /freeze?x=1']);
});

test('another answer is a failure, with the beginning of what it said', async () => {
  const port = await serve((_, response) => response.writeHead(503).end(`not\nnow ${'x'.repeat(100_000)}`));
  await expect(call(port)).rejects.toThrow(/answered 503: not now x{200,256}$/);
});

test('an answer that breaks off in its body is over, and counts by its head', async () => {
  const answering = (status: number) =>
    serve((_, response) => {
      response.writeHead(status, { 'content-length': 100 });
      response.write('not now', () => response.destroy());
    });
  await expect(call(await answering(503))).rejects.toThrow(/answered 503: not now$/);
  await call(await answering(200));
});

test('a redirect is not followed', async () => {
  let followed = false;
  const elsewhere = await serve((_, response) => {
    followed = true;
    response.end();
  });
  const location = `http://127.0.0.1:${elsewhere}/`;
  const port = await serve((_, response) => response.writeHead(307, { location }).end());
  await expect(call(port)).rejects.toThrow('307');
  expect(followed).toBe(false);
});

test('one that hangs, before or after its head, is over after its timeout; nobody listening is an error', async () => {
  const silent = await serve(() => {});
  await expect(call(silent, 50)).rejects.toThrow('it was not over after 0.05 s (timeoutSeconds)');
  const stuck = await serve((_, response) => response.writeHead(500).write('well'));
  await expect(call(stuck, 50)).rejects.toThrow('timeoutSeconds');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await expect(call(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a command is run without a shell, and told what it is for', async () => {
  const out = join(directory, 'out');
  await run([
    'sh',
    '-c',
    'echo "$JVS_HOOK $JVS_WORKTREE $JVS_VOLUME $1 $(env | grep -c ^HOME)" > "$0"',
    out,
    '$(x)',
  ]);
  expect(readFileSync(out, 'utf8')).toBe('preSnapshot main /jvs $(x) 0\n');
});

test('a command that fails says how, with the end of what it printed, however much that is', async () => {
  await expect(run(sh('yes | head -c 3000000; echo it is stuck >&2; exit 3'))).rejects.toThrow(
    /^sh ended with exit status 3: .{1,260}$/s,
  );
  await expect(run([join(directory, 'nothing')])).rejects.toThrow('can not be run');
  await expect(run(sh('kill -9 $$'))).rejects.toThrow('was ended by SIGKILL');
});

test('at its timeout, or when it is cancelled, a command is killed with all that it started', async () => {
  const alive = (file: string) => () => {
    const pid = Number(readFileSync(join(directory, file), 'utf8'));
    expect(pid).toBeGreaterThan(0);
    expect(stateOf(pid)).toMatch(/^[ZX]?$/);
  };
  // The file is there when it says something.
  const script = (file: string) => {
    const path = join(directory, file);
    return sh(`sleep 1000 & echo $! > ${path}.new; mv ${path}.new ${path}; trap '' TERM; wait`);
  };
  // Until it has come to begin.
  for (let timeout = 300; !existsSync(join(directory, 'a')); timeout *= 2)
    await expect(run(script('a'), timeout)).rejects.toThrow('timeoutSeconds');
  await vi.waitFor(alive('a'), within);
  const controller = new AbortController();
  const cancelled = expect(run(script('b'), 60_000, controller.signal)).rejects.toThrow('SIGKILL');
  await vi.waitFor(() => expect(existsSync(join(directory, 'b'))).toBe(true), within);
  controller.abort();
  await cancelled;
  await vi.waitFor(alive('b'), within);
});

test('what a command leaves in the background neither holds it up nor goes on', async () => {
  const file = join(directory, 'pid');
  const began = performance.now();
  await run(sh(`sleep 1000 & echo $! > ${file}`), 60_000);
  expect(performance.now() - began).toBeLessThan(30_000);
  await vi.waitFor(() => expect(stateOf(Number(readFileSync(file, 'utf8')))).toMatch(/^[ZX]?$/), within);
});

/** A letter as in proc(5); empty where there is none. */
function stateOf(pid: number): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? '';
  } catch {
    return '';
  }
}
