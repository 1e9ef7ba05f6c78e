// Receives a snapshot of one volume on another in a process of its own, and kills it there: at a named step, or after
// so many items.
//   node receive.ts <source volume> <target volume> <snapshot id> <step or number>
import { readFileSync } from 'node:fs';
import { Engine } from '../native/engine.ts';
import { exportSnapshot, storedBytes } from '../native/export.ts';
import type { Received } from '../native/import.ts';
import { Layout } from '../native/layout.ts';
import { getSnapshot } from '../native/reader.ts';
import type { Position } from '../native/transfer.ts';

const [source = '', target = '', snapshotId = '', dieAt = ''] = process.argv.slice(2);
const layout = new Layout(source);
const descriptor = await getSnapshot(layout, snapshotId);
const die = () => process.kill(process.pid, 'SIGKILL');

async function* fetch(from: Position): AsyncGenerator<Received> {
  const text = readFileSync(layout.descriptor(snapshotId), 'utf8');
  yield { descriptor: text, storedBytes: await storedBytes(layout, descriptor) };
  let count = 0;
  for await (const item of exportSnapshot(layout, descriptor, from)) {
    if (count++ >= Number(dieAt)) die();
    yield item;
  }
}

const engine = new Engine({ volume: target, engine: 'copy', holder: 'crash' });
const control = {
  progress: () => {},
  step: (point: string) => {
    if (point === dieAt) die();
  },
};
await engine.receive({ snapshotId, fetch, keepTag: (tag) => !tag.startsWith('k8s-') }, control);
