// The operator under measurement: the bundle of the image, with its own rights.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { AuditLog } from '../../audit-log.ts';
import { spawnBound } from '../../cluster/process.ts';
import { eventually } from '../../kubectl.ts';
import { operatorImage } from '../images.ts';
import { memoryOf } from '../memory.ts';
import { limitMemory } from '../memory-limit.ts';

export interface Usage {
  /** Of this process since it started, seconds. */
  cpu: number;
  /** MiB. */
  rss: number;
  anonymous: number;
  peak: number;
}

/** MiB, of config/manager. */
export const memoryLimit = 512;

/**
 * As its image starts it, within a memory limit in MiB; `credentials` holds `token` and `ca.crt`, as the kubelet puts
 * them into the pod.
 */
export function spawnOperator(
  server: string,
  credentials: string,
  flags: Record<string, string>,
  limit = memoryLimit,
): ChildProcess {
  const args = Object.entries({ 'agent-image': 'jvs-agent:bench', ...flags });
  const { hostname, port } = new URL(server);
  // In a mount namespace of its own, where the credentials are in the place of a pod's: with a kubeconfig it would
  // load the whole Kubernetes client, which it does not in a pod.
  const place = '/run/secrets/kubernetes.io/serviceaccount';
  const memory = limitMemory(limit);
  const setUp = `echo $$ > ${memory.processes} && mount -t tmpfs tmpfs /run && mkdir -p ${place} && cp "$0"/* ${place}/ && exec "$@"`;
  const { flags: nodeFlags, main, environment } = operatorImage;
  const command = [
    process.execPath,
    ...nodeFlags,
    main,
    ...args.map(([name, value]) => `--${name}=${value}`),
  ];
  const child = spawnBound('unshare', ['--mount', 'sh', '-c', setUp, credentials, ...command], {
    env: { ...environment, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  child.once('exit', () => memory.remove());
  return child;
}

export class Operator {
  readonly #child: ChildProcess;
  readonly #audit: AuditLog;
  readonly link = 18443;

  constructor(server: string, credentials: string, auditLog: string, limit?: number) {
    this.#audit = new AuditLog(auditLog);
    const flags = {
      ...{ 'webhook-url': 'https://127.0.0.1:19443', 'webhook-port': '19443' },
      ...{ 'link-port': `${this.link}`, 'health-port': '18081', 'metrics-port': '18080' },
    };
    this.#child = spawnOperator(server, credentials, flags, limit);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ready(): Promise<void> {
    await eventually(
      'the operator is ready',
      async () => (await fetch('http://127.0.0.1:18081/readyz')).ok,
      300,
    );
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  /** One of its metrics, summed over labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch('http://127.0.0.1:18080/metrics')).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Nothing waits to be reconciled. */
  async idle(seconds = 600): Promise<void> {
    await eventually(
      'the queues are empty',
      async () => (await this.metric('jvs_operator_queue_depth')) === 0,
      seconds,
    );
  }

  async usage(): Promise<Usage> {
    const [status = '', times = ''] = await Promise.all(
      ['status', 'stat'].map((file) => readFile(`/proc/${this.pid}/${file}`, 'utf8')),
    );
    // After the name in parentheses; user and system time are fields 14 and 15 of all.
    const fields = times.slice(times.lastIndexOf(')') + 2).split(' ');
    const { resident, anonymous } = memoryOf(this.pid);
    return {
      cpu: (Number(fields[11]) + Number(fields[12])) / 100,
      rss: resident,
      anonymous,
      peak: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024,
    };
  }

  /** Runs `work` and counts what the operator asked of the API server meanwhile, but for its lease. */
  requests(work: () => Promise<unknown>): Promise<number> {
    return this.#audit.requests(work);
  }
}
