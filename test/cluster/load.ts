import { insideCluster } from './cluster.ts';
import { enter } from './lifecycle.ts';
import { collect, output } from './process.ts';

/**
 * Gives an image to the node's containerd, from inside the cluster or outside. `key` names the content: what
 * the node has under it already is not read again.
 */
export async function loadImage(image: string, archive: string, key: string): Promise<void> {
  const keyed = image.replace(/:[^:/]*$/, `:${key}`);
  const current = await ctr('images', 'list', '--quiet', `name==${keyed}`);
  if (!current.trim()) {
    await ctr('images', 'import', '--local', archive);
    await ctr('images', 'tag', '--force', image, keyed);
  }
}

async function ctr(...args: string[]): Promise<string> {
  const command = ['ctr', '--namespace', 'k8s.io', ...args];
  if (insideCluster()) return output('ctr', command.slice(1));
  return collect(await enter(command, { stdio: ['ignore', 'pipe', 'pipe'] }), command.join(' '));
}
