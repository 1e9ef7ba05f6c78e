import { insideCluster } from '../cluster/cluster.ts';
import { eventually, kinds, kubectl } from '../kubectl.ts';

/** Installs the operator once for all files; the folder is what test/e2e/run.ts wrote. */
export default async function setup(): Promise<void> {
  const install = process.env.JVS_INSTALL;
  if (!install || !insideCluster()) throw new Error('The e2e suite runs by: node test/e2e/run.ts');
  await kubectl('apply', '-k', install);
  await kubectl('-n', 'jvs-system', 'rollout', 'status', 'deploy/jvs-operator', '--timeout=180s');
  await eventually('the new resources are served', () =>
    kubectl('get', `${kinds.workspace},${kinds.snapshot}`, '-A').then(() => true),
  );
}
