// Brings up the cluster with the operator in it, and runs the e2e suite where its node is in reach.
// Arguments are vitest's.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureJuiceFs } from '../cluster/juicefs.ts';
import { clusterDir } from '../cluster/paths.ts';
import { openTarget } from '../cluster/target.ts';
import { writeOverlay } from '../overlay.ts';
import { compareRights, isRare, operatorRights, sayRight, usesIn } from '../rights.ts';

ensureJuiceFs();
const target = await openTarget();
const overlay = await writeOverlay(target);
const suite = await target.start([
  ...['env', `JVS_INSTALL=${overlay}`, 'vitest', 'run', '--project', 'e2e'],
  ...process.argv.slice(2),
]);
const [code] = await once(suite, 'close');
process.exitCode = code || (await checkRights()) ? 1 : 0;

/** The operator may do what the suite made it do, and nothing else. Says what is amiss. */
async function checkRights(): Promise<boolean> {
  const uses = usesIn(await readFile(join(clusterDir, 'logs/audit.log'), 'utf8'));
  const { refused, unused } = compareRights(await operatorRights(), uses);
  for (const use of refused) console.error('refused to the operator:', use);
  // Some files of the suite do not use all of its rights.
  const wholeSuite = process.argv.slice(2).every((argument) => argument.startsWith('--'));
  const idle = wholeSuite ? unused.filter((right) => !isRare(right)) : [];
  for (const right of idle) console.error(`never used, take it out of config/rbac: ${sayRight(right)}`);
  return refused.length + idle.length > 0;
}
