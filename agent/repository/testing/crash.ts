// Runs one operation in a process of its own and kills it there: at a named step, or when told to.
// Says `ready` on stdout when it begins.
//   node crash.ts <volume> <operation as JSON> <step at which to die, or "">
import type { Engine as EngineType, SnapshotRequest } from '../native/engine.ts';
import { Engine } from '../native/engine.ts';

export type Operation = { snapshot: SnapshotRequest };

async function run(engine: EngineType, operation: Operation, step: (point: string) => void): Promise<void> {
  const control = { progress: () => {}, step };
  await engine.snapshot(operation.snapshot, control);
}

const [volume = '', operation = '', dieAt = ''] = process.argv.slice(2);
const engine = new Engine({ volume, engine: 'copy', holder: 'crash' });
process.stdout.write('ready');
await run(engine, JSON.parse(operation) as Operation, (point) => {
  if (point === dieAt) process.kill(process.pid, 'SIGKILL');
});
