// What a LimitRange gave a container that states nothing: that admission runs before webhooks, and says so in an annotation.
import type { Container } from '../runtime/resources.ts';

export const limitRangeAnnotation = 'kubernetes.io/limit-ranger';

/**
 * The container without what a LimitRange put there, by the annotation of its pod:
 * `LimitRanger plugin set: cpu, memory request for container app; memory limit for init container db`.
 */
export function withoutLimitRange(container: Container, annotation = ''): Container {
  const resources = { ...container.resources };
  for (const [, names = '', kind, of] of annotation.matchAll(
    /([\w./-]+(?:, [\w./-]+)*) (request|limit) for (?:init )?container ([\w-]+)/g,
  )) {
    if (of !== container.name) continue;
    const field = `${kind}s` as 'requests' | 'limits';
    const given = new Set(names.split(', '));
    resources[field] = Object.fromEntries(
      Object.entries(resources[field] ?? {}).filter(([name]) => !given.has(name)),
    );
  }
  return { ...container, resources };
}
