// The process that moves data between volumes, so that the agent's own loop does not wait for it: it serves exports
// until it is ended, or receives one snapshot. See process.ts for the other side.
import { Engine } from '../repository/native/engine.ts';
import { type Progress, RepositoryError, type RepositoryErrorReason } from '../repository/repository.ts';
import { isReservedTag } from '../snapshot.ts';
import { fetchSnapshot, type Source } from './client.ts';
import { type Exported, TransferServer } from './server.ts';

export type Order =
  | { serve: { volume: string; port: number } }
  | { exports: readonly Exported[] }
  | { receive: { volume: string; holder: string; source: Source } };

export type Word =
  | { serving: { port: number; certificateSha256: string } }
  | { progress: Progress }
  | { received: string }
  | { failed: { reason: RepositoryErrorReason; message: string } };

const say = (word: Word) => process.send?.(word);
let server: TransferServer | undefined;

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  void carryOut(order).catch((error: unknown) => {
    const reason = error instanceof RepositoryError ? error.reason : 'Internal';
    say({ failed: { reason, message: error instanceof Error ? error.message : String(error) } });
  });
});

async function carryOut(order: Order): Promise<void> {
  if ('exports' in order) server?.setExports(order.exports);
  else if ('serve' in order) {
    const { volume, port } = order.serve;
    server = await TransferServer.start(volume, port);
    say({ serving: { port: server.port, certificateSha256: server.certificateSha256 } });
  } else {
    const { volume, holder, source } = order.receive;
    const engine = new Engine({ volume, holder, engine: 'copy' });
    const { snapshot_id } = await engine.receive(
      {
        snapshotId: source.snapshotId,
        fetch: (from) => fetchSnapshot(source, from),
        keepTag: (tag) => !isReservedTag(tag),
      },
      { progress: (progress) => say({ progress }), step: () => {} },
    );
    say({ received: snapshot_id });
  }
}
