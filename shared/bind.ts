import type { Server, ServerCredentials } from '@grpc/grpc-js';

/** On all addresses: IPv6 and IPv4 on one socket where the node has both. Rejects when the port can not be had. */
export async function bindAll(
  server: Pick<Server, 'bindAsync'>,
  port: number,
  credentials: ServerCredentials,
): Promise<{ address: string; bound: number }> {
  const bind = (host: string) =>
    new Promise<{ address: string; bound: number }>((resolve, reject) => {
      server.bindAsync(`${host}:${port}`, credentials, (error, bound) =>
        error ? reject(error) : resolve({ address: `${host}:${bound}`, bound }),
      );
    });
  try {
    return await bind('[::]');
  } catch {
    return await bind('0.0.0.0');
  }
}
