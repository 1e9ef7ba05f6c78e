// Server reflection, so that grpcurl needs no .proto files. v1, and v1alpha for older clients: the same messages.
import {
  type MethodDefinition,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import type { AnyDefinition, PackageDefinition } from '@grpc/proto-loader';
import type { ServerReflectionRequest } from '../../shared/proto/gen/grpc/reflection/v1/ServerReflectionRequest.ts';
import type { ServerReflectionResponseInput } from '../../shared/proto/gen/grpc/reflection/v1/ServerReflectionResponse.ts';
import { loadReflection } from '../../shared/proto/load.ts';

type Answer = Omit<ServerReflectionResponseInput, 'messageResponse' | 'validHost' | 'originalRequest'>;
type Call = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponseInput>;
type Method = MethodDefinition<ServerReflectionRequest, ServerReflectionResponseInput>;

/**
 * The services to add to a server whose contracts are `packages`. Nothing is loaded before somebody asks: most
 * agents are never asked, and all of it takes memory.
 */
export function reflectionServices(
  packages: () => readonly PackageDefinition[],
): { definition: ServiceDefinition; implementation: { ServerReflectionInfo: (call: Call) => void } }[] {
  const prepare = () => ({
    method: loadReflection().ServerReflection.service.ServerReflectionInfo,
    catalogue: new Catalogue(packages()),
  });
  let loaded: ReturnType<typeof prepare> | undefined;
  const load = () => {
    loaded ??= prepare();
    return loaded;
  };
  const implementation = {
    ServerReflectionInfo: (call: Call) => {
      call.on('data', (request: ServerReflectionRequest) => {
        call.write({
          validHost: request.host,
          originalRequest: request,
          ...load().catalogue.answer(request),
        });
      });
      call.on('end', () => call.end());
    },
  };
  return ['v1', 'v1alpha'].map((version) => {
    const ServerReflectionInfo: Method = {
      path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (request) => load().method.requestSerialize(request),
      requestDeserialize: (bytes) => load().method.requestDeserialize(bytes),
      responseSerialize: (response) => load().method.responseSerialize(response),
      responseDeserialize: (bytes) => load().method.responseDeserialize(bytes),
    };
    return { definition: { ServerReflectionInfo }, implementation };
  });
}

interface File {
  name: string;
  package: string;
  bytes: Buffer;
}

/** Every file, type and service by name. proto-loader makes one file of each package. */
class Catalogue {
  readonly #files = new Map<string, File>();
  readonly #services: string[] = [];
  readonly #symbols = new Map<string, File>();

  constructor(packages: readonly PackageDefinition[]) {
    const byPackage = new Map<string, File>();
    const entries = packages.flatMap((one) => Object.entries(one));
    for (const [, definition] of entries) {
      for (const bytes of isType(definition) ? definition.fileDescriptorProtos : []) {
        const file = parse(bytes);
        this.#files.set(file.name, file);
        byPackage.set(file.package, file);
      }
    }
    for (const [symbol, definition] of entries) {
      const file = byPackage.get(symbol.slice(0, symbol.lastIndexOf('.')));
      if (file) this.#symbols.set(symbol, file);
      if (!isType(definition)) this.#services.push(symbol);
    }
  }

  answer(request: ServerReflectionRequest): Answer {
    switch (request.messageRequest) {
      case 'listServices':
        return { listServicesResponse: { service: this.#services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.#descriptors(this.#files.get(request.fileByFilename ?? ''), request.fileByFilename);
      case 'fileContainingSymbol':
        return this.#descriptors(
          this.#fileOf(request.fileContainingSymbol ?? ''),
          request.fileContainingSymbol,
        );
      case 'allExtensionNumbersOfType': {
        const name = request.allExtensionNumbersOfType ?? '';
        return this.#symbols.has(name)
          ? { allExtensionNumbersResponse: { baseTypeName: name } }
          : notFound(name);
      }
      default: // proto3 has no extensions
        return notFound(request.fileContainingExtension?.containingType);
    }
  }

  /** A method, a nested type or a field is in the file of what it is part of. */
  #fileOf(symbol: string): File | undefined {
    for (let name = symbol; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const file = this.#symbols.get(name);
      if (file) return file;
    }
    return undefined;
  }

  #descriptors(file: File | undefined, name: string | undefined): Answer {
    if (!file) return notFound(name);
    const found = new Set([file]);
    for (const one of found) for (const imported of this.#imports(one)) found.add(imported);
    return {
      fileDescriptorResponse: { fileDescriptorProto: [...found].map((one) => this.#withImports(one)) },
    };
  }

  /** proto-loader leaves the imports out; a type of another package is named in full. */
  #imports(file: File): File[] {
    return [...this.#files.values()].filter(
      (other) => other !== file && file.bytes.includes(`${other.package}.`),
    );
  }

  /** Fields of a protobuf message may be appended: here `repeated string dependency = 3`. */
  #withImports(file: File): Buffer {
    const dependencies = this.#imports(file).flatMap(({ name }) => [
      Buffer.from([0x1a, Buffer.byteLength(name)]),
      Buffer.from(name),
    ]);
    return Buffer.concat([file.bytes, ...dependencies]);
  }
}

const isType = (
  definition: AnyDefinition,
): definition is AnyDefinition & { fileDescriptorProtos: Buffer[] } =>
  'fileDescriptorProtos' in definition && Array.isArray(definition.fileDescriptorProtos);

/** A FileDescriptorProto begins with `string name = 1; string package = 2`, both shorter than 128 bytes here. */
function parse(bytes: Buffer): File {
  const text = (offset: number, tag: number) => {
    const length = bytes[offset + 1];
    if (bytes[offset] !== tag || length === undefined || length > 127) {
      throw new Error('a file descriptor does not begin with its name and package');
    }
    return bytes.toString('utf8', offset + 2, offset + 2 + length);
  };
  const name = text(0, 0x0a);
  return { name, package: text(2 + Buffer.byteLength(name), 0x12), bytes };
}

const notFound = (name = ''): Answer => ({
  errorResponse: { errorCode: status.NOT_FOUND, errorMessage: `${JSON.stringify(name)} is not known here` },
});
