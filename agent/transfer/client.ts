// Fetches a snapshot from the agent that exports it. Runs in a process of its own (worker.ts).
import { once } from 'node:events';
import { connect } from 'node:tls';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadTransfer } from '../../shared/proto/load.ts';
import type { Received } from '../repository/native/import.ts';
import type { Position } from '../repository/native/transfer.ts';
import { RepositoryError, type RepositoryErrorReason } from '../repository/repository.ts';
import { sha256 } from './certificate.ts';
import { fromWire } from './wire.ts';

/** As in jvs.link.v1.Initial. */
export interface Source {
  snapshotId: string;
  /** host:port */
  address: string;
  /** Of the one certificate that is trusted, hexadecimal. */
  certificateSha256: string;
  token: string;
}

const options = {
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // The name is in no certificate; an address would not do as one.
  'grpc.ssl_target_name_override': 'jvs-agent',
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_channelz': 0,
};
const connectMs = 10_000;

/** From `from` on, to the end. @throws RepositoryError, transient where another attempt may do */
export async function* fetchSnapshot(
  source: Source,
  from: Position,
): AsyncGenerator<Received, void, undefined> {
  const { snapshotId, address, certificateSha256, token } = source;
  const trusted = await pinned(address, certificateSha256);
  const stub = new (loadTransfer().Transfer)(
    address,
    credentials.createSsl(Buffer.from(trusted), null, null, {
      checkServerIdentity: (_, { raw }) =>
        sha256(raw) === certificateSha256 ? undefined : new Error('the certificate is another now'),
    }),
    options,
  );
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  try {
    const call = stub.Fetch({ snapshotId, ...from }, metadata);
    for await (const chunk of call) {
      if (chunk.descriptor) yield { descriptor: chunk.descriptor, storedBytes: chunk.storedBytes };
      for (const item of chunk.items) yield fromWire(item);
      if (chunk.last) return;
    }
    throw new RepositoryError('Internal', `agent ${address} stopped sending before the end`);
  } catch (error) {
    throw isServiceError(error) ? explain(error, source) : error;
  } finally {
    stub.close();
  }
}

/**
 * The certificate of who answers, PEM, when it is the one that is trusted. Nothing is said to anybody else: the token
 * goes over a connection that trusts that certificate alone. @throws RepositoryError
 */
async function pinned(address: string, certificateSha256: string): Promise<string> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: Number(address.slice(colon + 1)),
    servername: 'jvs-agent',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false, // checked below
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(connectMs) });
    const { raw } = socket.getPeerCertificate();
    if (raw && sha256(raw) === certificateSha256) {
      return `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
    }
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new RepositoryError('Internal', `agent ${address} can not be reached: ${detail}`, { cause });
  } finally {
    socket.destroy();
  }
  throw new RepositoryError(
    'Internal',
    `who answers at ${address} is not the agent that was named: its certificate is another; the operator names it anew when it has connected`,
  );
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'details' in error;

const reasons: Partial<Record<status, RepositoryErrorReason>> = {
  [status.NOT_FOUND]: 'NotFound',
  [status.DATA_LOSS]: 'DamagedRepository',
  [status.INVALID_ARGUMENT]: 'InvalidArgument',
};

function explain(error: ServiceError, { address, snapshotId }: Source): RepositoryError {
  const reason = reasons[error.code] ?? 'Internal';
  return new RepositoryError(
    reason,
    `fetching snapshot ${snapshotId} from agent ${address}: ${status[error.code]}: ${error.details}`,
    { cause: error },
  );
}
