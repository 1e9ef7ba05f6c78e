import type { Logger } from '../shared/log.ts';
import type { Config } from './config.ts';
import type { KubeClient } from './runtime/client.ts';
import { Controller } from './runtime/controller.ts';
import { pods } from './runtime/resources.ts';

const label = 'jvs.io/leader';

/**
 * Puts the label that the Service of the link selects on the leader's pod, and takes it off any other: a leader that
 * was killed or cut off could not do it itself. Outside a cluster there is no pod, and nothing to do.
 */
export function leaderLabel(client: KubeClient, { namespace, pod }: Config, log: Logger): Controller {
  const set = (name: string, value: 'true' | null, signal: AbortSignal) =>
    client.mergePatch(pods, { namespace, name }, { metadata: { labels: { [label]: value } } }, { signal });
  const controller = new Controller({
    name: 'leader-label',
    reconcile: async (name, signal) => {
      const { items } = await client.list(pods, { namespace, labelSelector: label, signal });
      for (const { metadata } of items) {
        if (metadata.name !== name) await set(metadata.name, null, signal);
      }
      await set(name, 'true', signal);
    },
    log,
  });
  if (pod) controller.enqueue(pod);
  return controller;
}
