// For what has to be caught in the middle, however slow or fast the machine is.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The port of a way to `port` that stands still once so many bytes have come back. What ends it is added to `stops`. */
export async function standstill(
  port: number,
  afterBytes: number,
  stops: (() => unknown)[],
): Promise<number> {
  const sockets: Socket[] = [];
  const way = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let passed = 0;
    near.pipe(far);
    far.on('data', (data) => {
      near.write(data);
      passed += data.length;
      if (passed >= afterBytes) far.pause();
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.push(one);
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(way, 'listening');
  stops.push(() => {
    way.close();
    for (const socket of sockets) socket.destroy();
  });
  return (way.address() as AddressInfo).port;
}
