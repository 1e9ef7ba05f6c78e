import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { KeyPairFiles } from './pki.ts';

/** Writes a kubeconfig that carries its certificates, so that it can be copied anywhere. */
export async function writeKubeconfig(
  file: string,
  server: string,
  caFile: string,
  identity: KeyPairFiles,
): Promise<string> {
  const base64 = async (path: string) => (await readFile(path)).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'jvs-local',
    contexts: [{ name: 'jvs-local', context: { cluster: 'jvs-local', user: 'jvs-local' } }],
    clusters: [
      { name: 'jvs-local', cluster: { server, 'certificate-authority-data': await base64(caFile) } },
    ],
    users: [
      {
        name: 'jvs-local',
        user: {
          'client-certificate-data': await base64(identity.publicFile),
          'client-key-data': await base64(identity.keyFile),
        },
      },
    ],
  };
  await writeFile(file, stringify(config), { mode: 0o600 });
  return file;
}
