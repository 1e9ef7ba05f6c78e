// A finalizer of ours on an object, put there and taken away.
import type { CallOptions, KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import type { Applied, KubeObject, ObjectMeta, Resource } from './types.ts';

/** Gives up whatever else `fieldManager` has applied to the object itself; its status is another matter. */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata: { name, namespace, uid } }: T,
  finalizer: string,
  options: { fieldManager: string } & CallOptions,
): Promise<void> {
  const applied: { metadata: ObjectMeta } = { metadata: { name, namespace, uid, finalizers: [finalizer] } };
  await client.apply(resource, applied as Applied<T>, options);
}

/**
 * Whoever put it there: a backup that was restored has it as its own. Success when the object is gone.
 * @throws ApiError Conflict when the object has changed since it was read
 */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata }: T,
  finalizer: string,
  options: { fieldManager: string } & CallOptions,
): Promise<void> {
  const { resourceVersion } = metadata;
  const finalizers = metadata.finalizers?.filter((one) => one !== finalizer) ?? [];
  try {
    await client.mergePatch(resource, metadata, { metadata: { resourceVersion, finalizers } }, options);
  } catch (error) {
    if (!ApiError.is(error, 'NotFound')) throw error;
  }
}
