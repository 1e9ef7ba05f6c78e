// Runs one operation in a process of its own and kills it there, or stops it: at a named step, or after some time.
//   node crash.ts <volume> <operation as JSON> <step, or ms from the beginning> [signal, SIGKILL by default]
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Engine, type ForkRequest, type RestoreRequest, type SnapshotRequest } from '../native/engine.ts';

export type Operation =
  | { open: true }
  | { doctor: true }
  | { snapshot: SnapshotRequest }
  | { restore: RestoreRequest }
  | { fork: ForkRequest }
  | { delete: string; evenHeads?: boolean }
  | { removeWorktree: string };

async function run(engine: Engine, operation: Operation, step: (point: string) => void): Promise<void> {
  const control = { progress: () => {}, step };
  if ('open' in operation) console.log(JSON.stringify(await engine.open()));
  if ('doctor' in operation) console.log(JSON.stringify(await engine.doctor(true)));
  if ('snapshot' in operation) await engine.snapshot(operation.snapshot, control);
  if ('restore' in operation) await engine.restore(operation.restore, control);
  if ('fork' in operation) await engine.fork(operation.fork, control);
  if ('delete' in operation) await engine.delete({ ...operation, id: operation.delete }, control);
  if ('removeWorktree' in operation) await engine.removeWorktree(operation.removeWorktree, control);
}

/** Who runs this can be too busy to be in time, and so can this thread. Resolves when the time begins to run. */
async function killAfter(ms: number, signal: string): Promise<void> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.postMessage('begun');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData.ms);
    process.kill(process.pid, workerData.signal);`;
  const worker = new Worker(code, { eval: true, workerData: { ms, signal } });
  worker.unref();
  await once(worker, 'message');
}

const [volume = '', operation = '', dieAt = '', signal = 'SIGKILL'] = process.argv.slice(2);
const engine = new Engine({ volume, engine: 'copy', holder: 'crash' });
const afterMs = Number.parseFloat(dieAt);
if (!Number.isNaN(afterMs)) await killAfter(afterMs, signal);
let ended = false;
await run(engine, JSON.parse(operation) as Operation, (point) => {
  if (point !== dieAt || ended) return;
  ended = true;
  process.kill(process.pid, signal);
});
// It would be killed after its end else, while the thread ends.
process.exit();
