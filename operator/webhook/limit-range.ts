// What a LimitRange gave a container that states nothing: that admission runs before webhooks and after them, and says so
// in an annotation of the pod.
import type { Container } from '../runtime/resources.ts';

export const limitRangeAnnotation = 'kubernetes.io/limit-ranger';

type Resources = NonNullable<Container['resources']>;

/**
 * The container without what a LimitRange put there in place of `ours`, by the annotation of its pod:
 * `LimitRanger plugin set: cpu, memory request for container app; memory limit for init container db`.
 * What we have nothing for stays: the namespace may ask for it.
 */
export function withoutLimitRange(container: Container, ours: Resources, annotation = ''): Container {
  const resources = { ...container.resources };
  for (const [, names = '', kind, of] of annotation.matchAll(
    /([\w./-]+(?:, [\w./-]+)*) (request|limit) for (?:init )?container ([\w-]+)/g,
  )) {
    if (of !== container.name) continue;
    const field = `${kind}s` as 'requests' | 'limits';
    const given = new Set(names.split(', '));
    resources[field] = Object.fromEntries(
      Object.entries(resources[field] ?? {}).filter(
        ([name]) => !given.has(name) || ours[field]?.[name] === undefined,
      ),
    );
  }
  return { ...container, resources };
}
