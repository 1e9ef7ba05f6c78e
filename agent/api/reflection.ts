// Server reflection, so that grpcurl needs no .proto files. v1, and v1alpha for older clients: the same messages.
import {
  type MethodDefinition,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import type { AnyDefinition, PackageDefinition } from '@grpc/proto-loader';
import descriptor, {
  type IDescriptorProto,
  type IFileDescriptorProto,
} from 'protobufjs/ext/descriptor/index.js';
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

const { FileDescriptorProto } = descriptor;

interface File {
  name: string;
  package: string;
  /** Packages of the types that it uses. */
  uses: Set<string>;
  bytes: Buffer;
}

// A message that is appended to another of its type is merged into it: so the imports are added.

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
        const file = readFile(bytes);
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

  #imports(file: File): File[] {
    return [...this.#files.values()].filter((other) => other !== file && file.uses.has(other.package));
  }

  #withImports(file: File): Buffer {
    const dependency = this.#imports(file).map(({ name }) => name);
    return Buffer.concat([file.bytes, FileDescriptorProto.encode({ dependency }).finish()]);
  }
}

const isType = (
  definition: AnyDefinition,
): definition is AnyDefinition & { fileDescriptorProtos: Buffer[] } =>
  'fileDescriptorProtos' in definition && Array.isArray(definition.fileDescriptorProtos);

/** As protoc would have it: proto-loader leaves out the imports, and the names that fields have in JSON. */
function readFile(encoded: Buffer): File {
  const file = FileDescriptorProto.decode(encoded) as unknown as IFileDescriptorProto;
  const uses = new Set<string>();
  const use = (type = '') => uses.add(type.replace(/^\./, '').replace(/\.[^.]*$/, ''));
  const visit = ({ field = [], nestedType = [] }: IDescriptorProto): void => {
    for (const one of field) {
      one.jsonName = (one.name ?? '').replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      use(one.typeName);
    }
    nestedType.forEach(visit);
  };
  file.messageType?.forEach(visit);
  for (const { method = [] } of file.service ?? []) {
    for (const { inputType, outputType } of method) [inputType, outputType].forEach(use);
  }
  const bytes = Buffer.from(FileDescriptorProto.encode(file).finish());
  return { name: file.name ?? '', package: file.package ?? '', uses, bytes };
}

const notFound = (name = ''): Answer => ({
  errorResponse: { errorCode: status.NOT_FOUND, errorMessage: `${JSON.stringify(name)} is not known here` },
});
