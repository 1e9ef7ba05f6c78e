// One of two replicas: the bundle with the rights of the operator and a token of its own pod, by which the audit log
// knows it; its way to the API server is a relay, which can be cut.
import type { ChildProcess } from 'node:child_process';
import type { KubeClient } from '../../../operator/runtime/client.ts';
import { deployments, type Pod, pods } from '../../../operator/runtime/resources.ts';
import type { ApiServer } from '../../cluster/apiserver.ts';
import { ended } from '../../cluster/process.ts';
import { operatorCredentials } from '../../integration/operator-client.ts';
import { Relay } from '../../integration/runtime-relay.ts';
import { eventually } from '../../kubectl.ts';
import { spawnOperator } from '../scale/operator.ts';

const namespace = 'jvs-system';

export class Replica {
  readonly pod: string;
  readonly link: number;
  readonly relay: Relay;
  readonly #health: number;
  readonly #start: () => ChildProcess;
  #child: ChildProcess;

  private constructor(pod: string, base: number, relay: Relay, credentials: string) {
    this.pod = pod;
    this.relay = relay;
    this.link = base;
    this.#health = base + 1;
    this.#start = () =>
      spawnOperator(relay.url, credentials, {
        ...{ pod, 'link-port': `${base}`, 'health-port': `${base + 1}` },
        ...{ 'metrics-port': `${base + 2}`, 'webhook-port': `${base + 3}` },
      });
    this.#child = this.#start();
  }

  /** Its pod is as the Deployment would make it, and runs nowhere. Uses four ports from `base` on. */
  static async start(server: ApiServer, client: KubeClient, name: string, base: number): Promise<Replica> {
    const template = (await client.get(deployments, { namespace, name: 'jvs-operator' }))?.spec?.template;
    const pod = { metadata: { namespace, name, labels: template?.metadata?.labels }, spec: template?.spec };
    const { uid = '' } = (await client.create(pods, pod as Pod)).metadata;
    const credentials = await operatorCredentials(server, { name, uid });
    return new Replica(name, base, await Relay.start(server.url), credentials);
  }

  async ready(): Promise<void> {
    await eventually(
      `${this.pod} is ready`,
      async () => (await fetch(`http://127.0.0.1:${this.#health}/readyz`)).ok,
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As the kubelet: started again where it has ended. Resolves when it is ready. */
  async recover(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) this.#child = this.#start();
    await this.ready();
  }

  /** Resolves when the process has ended. */
  ended(): Promise<void> {
    return ended(this.#child);
  }

  async stop(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
    await this.relay[Symbol.asyncDispose]();
  }
}
