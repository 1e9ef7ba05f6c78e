// For the benchmark: one snapshot of main in a process of its own, or, with a parent that asks, what it asks for, as in
// the agent. node snapshot.ts <volume>
import { readFileSync, writeFileSync } from 'node:fs';
import { Engine } from '../native/engine.ts';
import { Layout } from '../native/layout.ts';
import { headOf } from '../native/reader.ts';

const engine = new Engine({ volume: process.argv[2] ?? '', engine: 'copy', holder: 'bench' });
const quiet = { progress: () => {}, step: () => {} };
const last = async () => (await headOf(new Layout(process.argv[2] ?? ''), 'main')) ?? '';
const tasks = {
  snapshot: () => engine.snapshot({ worktree: 'main', origin: 'manual' }, quiet),
  verify: async () => engine.verify(await last(), quiet),
  restore: async () => engine.restore({ worktree: 'main', snapshotId: await last() }, quiet),
};
export type Task = keyof typeof tasks;

/** KiB. */
function peakMemory(): number {
  return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

await engine.open();
if (process.send) {
  process.on('message', async (task: Task) => {
    // From here on the peak is counted anew.
    writeFileSync('/proc/self/clear_refs', '5');
    await tasks[task]();
    process.send?.(peakMemory());
  });
  process.send('ready');
} else await tasks.snapshot();
