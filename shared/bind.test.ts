import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { bindAll } from './bind.ts';

const insecure = ServerCredentials.createInsecure();

test('a node without IPv6 is listened on by IPv4', async () => {
  const server = new Server();
  const bindAsync: Server['bindAsync'] = (address, credentials, callback) => {
    if (address.startsWith('[')) callback(new Error('EAFNOSUPPORT'), 0);
    else server.bindAsync(address, credentials, callback);
  };
  const { address, bound } = await bindAll({ bindAsync }, 0, insecure);
  expect(address).toBe(`0.0.0.0:${bound}`);
  const other = new Server();
  await expect(bindAll(other, bound, insecure)).rejects.toThrow('EADDRINUSE');
  server.forceShutdown();
});
