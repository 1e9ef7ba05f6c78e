// npm run test:network: our NetworkPolicies where they are enforced, which the cluster's own network does not.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensurePackage } from '../../agent/repository/testing/filesystem.ts';
import { ensureBinaries } from '../cluster/binaries.ts';

ensurePackage('ipset', 'ipset');
await ensureBinaries(['kube-router']);
const { status } = spawnSync('node', ['test/e2e/run.ts', '--project', 'network'], {
  cwd: join(import.meta.dirname, '../..'),
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
