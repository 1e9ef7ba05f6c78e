// The built-in kinds that the operator uses.
import type * as k8s from '@kubernetes/client-node';
import { defineResource, type KubeObject } from './types.ts';

/** client-node's models as the API server sends them: dates are strings, `_from` is `from`. Types only: nothing is loaded. */
export type Json<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Json<U>[]
    : T extends object
      ? { [K in keyof T as K extends `_${infer Name}` ? Name : K]: Json<T[K]> }
      : T;
type Kind<T> = KubeObject & Omit<Json<T>, 'apiVersion' | 'kind' | 'metadata'>;

export type Namespace = Kind<k8s.V1Namespace>;
export type Node = Kind<k8s.V1Node>;
export type Pod = Kind<k8s.V1Pod>;
export type PodSpec = Json<k8s.V1PodSpec>;
export type Container = Json<k8s.V1Container>;
export type PersistentVolumeClaim = Kind<k8s.V1PersistentVolumeClaim>;
export type PersistentVolume = Kind<k8s.V1PersistentVolume>;
export type StorageClass = Kind<k8s.V1StorageClass>;
export type CSIDriver = Kind<k8s.V1CSIDriver>;
export type Deployment = Kind<k8s.V1Deployment>;
export type ConfigMap = Kind<k8s.V1ConfigMap>;
export type Secret = Kind<k8s.V1Secret>;
export type Event = Kind<k8s.EventsV1Event>;
export type Lease = Kind<k8s.V1Lease>;
export type MutatingWebhookConfiguration = Kind<k8s.V1MutatingWebhookConfiguration>;
export type ValidatingWebhookConfiguration = Kind<k8s.V1ValidatingWebhookConfiguration>;
export type CustomResourceDefinition = Kind<k8s.V1CustomResourceDefinition>;

const clusterScoped = { namespaced: false };

export const namespaces = defineResource<Namespace>('v1', 'Namespace', 'namespaces', clusterScoped);
export const nodes = defineResource<Node>('v1', 'Node', 'nodes', clusterScoped);
export const pods = defineResource<Pod>('v1', 'Pod', 'pods');
export const pvcs = defineResource<PersistentVolumeClaim>(
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const pvs = defineResource<PersistentVolume>(
  'v1',
  'PersistentVolume',
  'persistentvolumes',
  clusterScoped,
);
export const storageClasses = defineResource<StorageClass>(
  'storage.k8s.io/v1',
  'StorageClass',
  'storageclasses',
  clusterScoped,
);
export const csiDrivers = defineResource<CSIDriver>(
  'storage.k8s.io/v1',
  'CSIDriver',
  'csidrivers',
  clusterScoped,
);
export const deployments = defineResource<Deployment>('apps/v1', 'Deployment', 'deployments');
export const configMaps = defineResource<ConfigMap>('v1', 'ConfigMap', 'configmaps');
export const secrets = defineResource<Secret>('v1', 'Secret', 'secrets');
export const events = defineResource<Event>('events.k8s.io/v1', 'Event', 'events');
export const leases = defineResource<Lease>('coordination.k8s.io/v1', 'Lease', 'leases');
export const mutatingWebhookConfigurations = defineResource<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  clusterScoped,
);
export const validatingWebhookConfigurations = defineResource<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  clusterScoped,
);
export const customResourceDefinitions = defineResource<CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  clusterScoped,
);
