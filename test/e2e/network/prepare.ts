// Installs what enforces NetworkPolicies: to be called where there is a network, which inside the cluster there is not.
import { ensurePackage } from '../../../agent/repository/testing/filesystem.ts';
import { ensureBinaries } from '../../cluster/binaries.ts';

ensurePackage('ipset', 'ipset');
await ensureBinaries(['kube-router']);
