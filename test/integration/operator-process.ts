// The whole operator outside a cluster, as `npm run operator` starts it, against a test's API server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, vi } from 'vitest';
import { root } from './kubectl.ts';

export interface OperatorProcess {
  readonly child: ChildProcess;
  /** Of the link, and of metrics. */
  readonly ports: { link: string; metrics: string };
  /** As the kubelet would; fails when it does not end well. */
  stop(): Promise<void>;
}

export async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return String(typeof address === 'object' && address?.port);
}

/**
 * Resolves when it is ready. `kubeconfig` says with whose rights it runs, `args` are more flags. Without `webhookUrl`
 * it keeps to the rights it has in a cluster, and the API server can not call it.
 */
export async function startOperator(
  kubeconfig: string,
  args: readonly string[] = [],
  { webhookUrl = true } = {},
): Promise<OperatorProcess> {
  // Between finding a free port and listening on it someone else may take it.
  for (let attempt = 1; attempt < 5; attempt++) {
    const operator = await tryOperator(kubeconfig, args, webhookUrl);
    if (operator) return operator;
  }
  throw new Error('the operator ends before it is ready');
}

/** Undefined where it ended instead. */
async function tryOperator(
  kubeconfig: string,
  args: readonly string[],
  webhookUrl: boolean,
): Promise<OperatorProcess | undefined> {
  const [webhook = '', link = '', health = '', metrics = ''] = await Promise.all([1, 2, 3, 4].map(freePort));
  const child = spawn(
    process.execPath,
    [
      ...['operator/main.ts', '--agent-image', 'jvs-agent:dev', '--link-address', `127.0.0.1:${link}`],
      ...(webhookUrl ? ['--webhook-url', `https://127.0.0.1:${webhook}`] : []),
      ...['--webhook-port', webhook, '--link-port', link, '--health-port', health],
      ...['--metrics-port', metrics, ...args],
    ],
    { cwd: root, env: { ...process.env, KUBECONFIG: kubeconfig }, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const isReady = await vi.waitFor(
    async () => {
      if (child.exitCode !== null) return false;
      expect((await fetch(`http://127.0.0.1:${health}/readyz`)).status).toBe(200);
      expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toContain(
        'jvs_operator_queue_depth',
      );
      return true;
    },
    { timeout: 40_000, interval: 100 },
  );
  if (!isReady) return undefined;
  return {
    child,
    ports: { link, metrics },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
    },
  };
}
