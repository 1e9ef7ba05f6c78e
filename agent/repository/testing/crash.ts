// Runs one operation in a process of its own and kills it there, or stops it: at a named step, or when told to.
// Says `ready` on stdout when it begins.
//   node crash.ts <volume> <operation as JSON> <step, or ""> [signal, SIGKILL by default]
import { Engine, type ForkRequest, type RestoreRequest, type SnapshotRequest } from '../native/engine.ts';

export type Operation =
  | { snapshot: SnapshotRequest }
  | { restore: RestoreRequest }
  | { fork: ForkRequest }
  | { delete: string; evenHeads?: boolean }
  | { removeWorktree: string };

async function run(engine: Engine, operation: Operation, step: (point: string) => void): Promise<void> {
  const control = { progress: () => {}, step };
  if ('snapshot' in operation) await engine.snapshot(operation.snapshot, control);
  if ('restore' in operation) await engine.restore(operation.restore, control);
  if ('fork' in operation) await engine.fork(operation.fork, control);
  if ('delete' in operation) await engine.delete({ ...operation, id: operation.delete }, control);
  if ('removeWorktree' in operation) await engine.removeWorktree(operation.removeWorktree, control);
}

const [volume = '', operation = '', dieAt = '', signal = 'SIGKILL'] = process.argv.slice(2);
const engine = new Engine({ volume, engine: 'copy', holder: 'crash' });
process.stdout.write('ready');
let ended = false;
await run(engine, JSON.parse(operation) as Operation, (point) => {
  if (point !== dieAt || ended) return;
  ended = true;
  process.kill(process.pid, signal);
});
