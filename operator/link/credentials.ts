// TLS credentials of the gRPC server that follow the operator's certificate without a restart.
import { createSecureContext } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '../../shared/log.ts';
import type { CertificateSource } from '../certs/source.ts';

type Listener = experimental.IdentityCertificateUpdateListener;

/** New connections get the newest certificate that works; open ones stay as they are. */
export function serverCredentials(source: CertificateSource, log: Logger): ServerCredentials {
  const listeners = new Set<Listener>();
  let current = read(source);
  source.onChange(() => {
    try {
      current = read(source);
    } catch (err) {
      log.error({ err }, 'the new serving certificate does not work; the link keeps the one before');
      return;
    }
    for (const listener of listeners) listener(current);
  });
  const unused = () => {};
  const provider: experimental.CertificateProvider = {
    // grpc-js adds its own watcher only after this call: an update within it would be lost.
    addIdentityCertificateListener: (listener) => {
      listeners.add(listener);
      process.nextTick(() => listener(current));
    },
    removeIdentityCertificateListener: (listener) => listeners.delete(listener),
    addCaCertificateListener: unused,
    removeCaCertificateListener: unused,
  };
  // The declared names of the first two parameters are exchanged in grpc-js 1.14: identity is the first.
  // No client certificates: agents are known by their token.
  return experimental.createCertificateProviderServerCredentials(provider, null, false);
}

/** Throws when key and certificate do not fit, which grpc-js would answer by dropping every connection. */
function read(source: CertificateSource): experimental.IdentityCertificateUpdate {
  const { key, cert } = source.current();
  createSecureContext({ key, cert });
  return { certificate: Buffer.from(cert), privateKey: Buffer.from(key) };
}
