import type { KubeClient } from '../runtime/client.ts';
import type { Informer } from '../runtime/informer.ts';
import { type Pod, pods } from '../runtime/resources.ts';
import { refOf } from '../runtime/types.ts';
import type { PodSource, ReviewToken } from './auth.ts';
import { AUDIENCE } from './identity.ts';

/** `informer`: of the pods that carry the workspace label, in all namespaces. */
export function podSource(client: KubeClient, informer: Informer<Pod>): PodSource {
  return {
    get: (namespace, name) => informer.get(`${namespace}/${name}`),
    fetch: (namespace, name, signal) => client.get(pods, { namespace, name }, { signal }),
    onChange: (handler) =>
      informer.onChange((key, now) => {
        const { namespace = '', name } = refOf(key);
        handler(namespace, name, now);
      }),
  };
}

export function tokenReviewer(client: KubeClient): ReviewToken {
  return (token, signal) => client.tokenReview(token, [AUDIENCE], { signal });
}
