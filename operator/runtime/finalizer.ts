// A finalizer of ours on an object, put there and taken away.
import type { CallOptions, KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import type { Applied, KubeObject, ObjectMeta, Resource } from './types.ts';

/**
 * Gives up whatever else `fieldManager` has applied to the object itself; its status is another matter. Returns the
 * object's new version.
 */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata: { name, namespace, uid } }: T,
  finalizer: string,
  options: { fieldManager: string } & CallOptions,
): Promise<string | undefined> {
  const applied: { metadata: ObjectMeta } = { metadata: { name, namespace, uid, finalizers: [finalizer] } };
  const after = await client.apply(resource, applied as Applied<T>, options);
  return after.metadata.resourceVersion;
}

/**
 * Whoever put it there: a backup that was restored has it as its own. Returns the object's new version; undefined, and
 * success, when it is gone.
 * @throws ApiError Conflict when the object has changed since it was read
 */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata }: T,
  finalizer: string,
  options: { fieldManager: string } & CallOptions,
): Promise<string | undefined> {
  const { resourceVersion } = metadata;
  const finalizers = metadata.finalizers?.filter((one) => one !== finalizer) ?? [];
  try {
    const patch = { metadata: { resourceVersion, finalizers } };
    const after = await client.mergePatch(resource, metadata, patch, options);
    return after.metadata.resourceVersion;
  } catch (error) {
    if (!ApiError.is(error, 'NotFound')) throw error;
    return undefined;
  }
}

/** There as long as it is `wanted`. The version that this leaves, where it changes something. */
export async function keepFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizer: string,
  wanted: boolean,
  options: { fieldManager: string } & CallOptions,
): Promise<string | undefined> {
  const has = object.metadata.finalizers?.includes(finalizer) ?? false;
  if (has === wanted) return undefined;
  const change = has ? removeFinalizer : addFinalizer;
  return await change(client, resource, object, finalizer, options);
}
