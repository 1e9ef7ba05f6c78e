// The Service of the link, as kube-proxy makes it: each new connection goes to the pod that has the leader's label; one
// that is open stays where it is.
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { KubeClient } from '../../../operator/runtime/client.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { pods } from '../../../operator/runtime/resources.ts';
import { createLogger } from '../../../shared/log.ts';

export class LinkService {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `ports` of the replicas' links, by pod. */
  static async start(
    client: KubeClient,
    ports: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<LinkService> {
    const labelled = new Informer(client, pods, {
      namespace: 'jvs-system',
      labelSelector: 'jvs.io/leader=true',
      log: createLogger('bench'),
    });
    labelled.start(signal);
    await labelled.synced();
    const server = createServer((agent) => {
      const port = ports.get(labelled.list()[0]?.metadata.name ?? '');
      if (port === undefined) agent.destroy();
      else join(agent, dial(port, '127.0.0.1'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new LinkService(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
  }
}

function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => {});
    from.on('close', () => to.destroy());
  }
}
