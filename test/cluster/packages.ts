import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { output } from './process.ts';
import { step } from './progress.ts';

/** What the node takes from the machine: a file that shows it is there, and its Debian package. */
const needed: readonly [string, string][] = [
  ['runc', 'runc'],
  ['/usr/lib/cni/ptp', 'containernetworking-plugins'],
  ['iptables', 'iptables'],
  ['conntrack', 'conntrack'],
  ['ip', 'iproute2'],
  ['buildah', 'buildah'],
  ['/bin/busybox', 'busybox-static'],
  ['getfattr', 'attr'],
];

/** Installs what is missing where that can be done (root on Debian), else names all of it at once. */
export async function ensurePackages(): Promise<void> {
  const missing = needed.filter(([file]) => !isThere(file)).map(([, name]) => name);
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!isThere('apt-get'))
    throw new Error(`The local cluster needs, as Debian names them: ${missing.join(', ')}`);
  if (process.getuid?.() !== 0) throw new Error(`The local cluster needs more packages. As root: ${install}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await step(`install ${missing.join(', ')}`, async () => {
    await output('apt-get', ['update', '-qq'], { env });
    await output('sh', ['-c', install], { env });
  });
}

function isThere(file: string): boolean {
  if (file.startsWith('/')) return existsSync(file);
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  return path.split(delimiter).some((dir) => existsSync(join(dir, file)));
}
