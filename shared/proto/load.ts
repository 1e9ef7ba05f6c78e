// Loads the gRPC contracts of proto/ at run time; the types beside it are generated (npm run generate).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as AgentTypes } from './gen/agent.ts';
import type { ProtoGrpcType as HealthTypes } from './gen/health.ts';
import type { ProtoGrpcType as LinkTypes } from './gen/link.ts';
import type { ProtoGrpcType as ReflectionTypes } from './gen/reflection.ts';
import type { ProtoGrpcType as TransferTypes } from './gen/transfer.ts';

// In the repository proto/ is two folders up; in an image the bundle has it beside itself.
const directory = [join(import.meta.dirname, '../../proto'), join(import.meta.dirname, 'proto')].find(
  (path) => existsSync(join(path, 'jvs')),
);

export type ProtoFile =
  | 'jvs/agent/v1/agent.proto'
  | 'jvs/link/v1/link.proto'
  | 'jvs/transfer/v1/transfer.proto'
  | 'grpc/health/v1/health.proto'
  | 'grpc/reflection/v1/reflection.proto';

/** Those that the generated types were made for. */
export const loadOptions = { longs: Number, enums: String, defaults: true, oneofs: true } as const;

/**
 * Package definition of one file of proto/, as its generated types have it.
 * `keepCase`: fields are named as in the file, as others want to be told of them.
 */
export function loadProto(file: ProtoFile, { keepCase = false } = {}): PackageDefinition {
  if (!directory) throw new Error(`The folder proto/ is missing beside ${import.meta.dirname}`);
  return loadSync(file, { includeDirs: [directory], keepCase, ...loadOptions });
}

export const loadAgent = () =>
  (loadPackageDefinition(loadProto('jvs/agent/v1/agent.proto')) as unknown as AgentTypes).jvs.agent.v1;

export const loadLink = () =>
  (loadPackageDefinition(loadProto('jvs/link/v1/link.proto')) as unknown as LinkTypes).jvs.link.v1;

export const loadTransfer = () =>
  (loadPackageDefinition(loadProto('jvs/transfer/v1/transfer.proto')) as unknown as TransferTypes).jvs
    .transfer.v1;

export const loadHealth = () =>
  (loadPackageDefinition(loadProto('grpc/health/v1/health.proto')) as unknown as HealthTypes).grpc.health.v1;

export const loadReflection = () =>
  (loadPackageDefinition(loadProto('grpc/reflection/v1/reflection.proto')) as unknown as ReflectionTypes).grpc
    .reflection.v1;
