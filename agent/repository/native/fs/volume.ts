// What the volume's filesystem is and can do.
import { readFileSync, realpathSync } from 'node:fs';
import { runTool } from './tool.ts';

/**
 * Everything written to the filesystem of `path` so far is on disk. Node has no syncfs(2); coreutils' `sync -f`
 * is it. @throws RepositoryError Internal, VolumeFull
 */
export async function syncFilesystem(path: string): Promise<void> {
  await runTool('sync', ['-f', path]);
}

/** Filesystem type as in /proc/self/mounts, of the mount that holds `path`. */
export function filesystemType(path: string, mounts = readFileSync('/proc/self/mounts', 'utf8')): string {
  const target = `${realpathSync(path)}/`;
  let best = { length: 0, type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, escaped = '', type = ''] = line.split(' ');
    const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    const prefix = point.endsWith('/') ? point : `${point}/`;
    // A later mount on the same point hides the earlier one.
    if (point && target.startsWith(prefix) && prefix.length >= best.length)
      best = { length: prefix.length, type };
  }
  return best.type;
}
