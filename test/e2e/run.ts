// Brings up the cluster with the operator in it, and runs the e2e suite where its node is in reach.
// Arguments are vitest's; with --project another suite for the node.
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureJuiceFs } from '../cluster/juicefs.ts';
import { clusterDir } from '../cluster/paths.ts';
import { openTarget } from '../cluster/target.ts';
import { writeOverlay } from '../overlay.ts';
import { compareRights, isRare, operatorRights, sayRight, usesIn } from '../rights.ts';
import { ensureFakeClock } from './disruptive/life/clock.ts';

ensureJuiceFs();
ensureFakeClock();
const own = process.argv.slice(2);
const projects = own.includes('--project') ? [] : ['--project', 'e2e', '--project', 'disruptive'];
const target = await openTarget();
const overlay = await writeOverlay(target);
const suite = await target.start([
  ...['env', `JVS_INSTALL=${overlay}`, 'vitest', 'run', ...projects, ...own],
]);
const [code] = await once(suite, 'close');
// Failed tests hide nothing of the rights.
const rightful = await checkRights();
process.exitCode = code === 0 && rightful ? 0 : 1;

/** The operator may do what the suite made it do, and nothing else. Says what is amiss. */
async function checkRights(): Promise<boolean> {
  const { refused, unused } = compareRights(await operatorRights(), await usesIn(...(await auditLogs())));
  for (const use of refused) console.error('refused to the operator:', use);
  // Some files of the suite do not use all of its rights.
  const wholeSuite = own.every((argument) => /^--(?!project)/.test(argument));
  const idle = wholeSuite ? unused.filter((right) => !isRare(right)) : [];
  for (const right of idle) console.error(`never used, take it out of config/rbac: ${sayRight(right)}`);
  const amiss = refused.length + idle.length;
  const used = wholeSuite ? ', and used all that it may' : '';
  console.log(amiss > 0 ? `rights: ${amiss} amiss` : `rights: the operator was refused nothing${used}`);
  return amiss === 0;
}

/** With what was rotated away. */
async function auditLogs(): Promise<string[]> {
  const logs = join(clusterDir, 'logs');
  return (await readdir(logs)).filter((name) => /^audit.*\.log$/.test(name)).map((name) => join(logs, name));
}
