// Brings up the cluster with the operator in it, and runs the e2e suite where its node is in reach.
// Arguments are vitest's.
import { once } from 'node:events';
import { openTarget } from '../cluster/target.ts';
import { writeOverlay } from '../overlay.ts';

const target = await openTarget();
const overlay = await writeOverlay(target);
const suite = await target.start([
  ...['env', `JVS_INSTALL=${overlay}`, 'vitest', 'run', '--project', 'e2e'],
  ...process.argv.slice(2),
]);
const [code] = await once(suite, 'close');
process.exitCode = code ?? 1;
