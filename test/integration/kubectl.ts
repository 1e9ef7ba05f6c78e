// The project's own kubectl against a test's API server.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ApiServer, type ApiServerOptions, startApiServer } from '../cluster/apiserver.ts';
import { ensureBinaries } from '../cluster/binaries.ts';

export const root = join(import.meta.dirname, '../..');

const run = promisify(execFile);

/** Runs in the project's root, gives stdout; rejects with what kubectl says on stderr. */
export type Kubectl = (...args: string[]) => Promise<string>;

export async function startWithKubectl(
  options: ApiServerOptions = {},
): Promise<{ server: ApiServer; kubectl: Kubectl }> {
  const bin = await ensureBinaries(['kubectl']);
  const server = await startApiServer(options);
  const env = { ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(server.dir, 'kubectl') };
  const kubectl: Kubectl = async (...args) => {
    const { stdout } = await run(join(bin, 'kubectl'), args, { cwd: root, env, maxBuffer: 2 ** 26 });
    return stdout;
  };
  return { server, kubectl };
}

/** The same with the resources and the operator's roles, and what else is in `more`. */
export async function startInstalled(
  more: readonly string[] = [],
  options: Parameters<typeof startWithKubectl>[0] = {},
): ReturnType<typeof startWithKubectl> {
  const started = await startWithKubectl(options);
  const folders = ['config/crd/bases/', 'config/rbac/', ...more];
  for (const folder of folders) await started.kubectl('apply', '-f', folder);
  await started.kubectl('wait', '--for=condition=Established', 'crd', '--all');
  return started;
}
