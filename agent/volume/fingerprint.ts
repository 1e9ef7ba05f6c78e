import { stat } from 'node:fs/promises';
import { join } from 'node:path';

// Adding, removing or replacing a snapshot or a worktree touches at least one of these; moving a head, its config.
const watched = ['descriptors', 'snapshots', 'worktrees'];

/** Coarsest timestamps of filesystems we may meet: what was touched within it may be touched again unseen. */
const granularityMs = 2000;

/**
 * Equal fingerprints mean that a repository's list has not changed, at the price of a few stats. `worktrees` are
 * those that were seen. undefined: it can not be told, so list again.
 */
export async function fingerprint(
  volume: string,
  worktrees: readonly string[],
  now: number,
): Promise<string | undefined> {
  const names = new Set(['main', ...worktrees]);
  const configs = [...names].map((name) => `worktrees/${name}/config.json`);
  const parts: string[] = [];
  for (const name of [...watched, ...configs]) {
    try {
      const { ino, mtimeNs, ctimeNs, ctimeMs } = await stat(join(volume, '.jvs', name), { bigint: true });
      if (Number(ctimeMs) > now - granularityMs) return undefined;
      parts.push(`${ino}:${mtimeNs}:${ctimeNs}`);
    } catch {
      return undefined;
    }
  }
  return parts.join(' ');
}
