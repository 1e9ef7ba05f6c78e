import { stat } from 'node:fs/promises';
import { join } from 'node:path';

// Adding, removing or replacing a snapshot, or moving main's head, touches at least one of these.
const watched = ['descriptors', 'snapshots', 'worktrees', 'worktrees/main/config.json'];

/** Coarsest timestamps of filesystems we may meet: what was touched within it may be touched again unseen. */
const granularityMs = 2000;

/**
 * Equal fingerprints mean that a repository's list has not changed, at the price of four stats.
 * undefined: it can not be told, so list again.
 */
export async function fingerprint(volume: string, now: number): Promise<string | undefined> {
  const parts: string[] = [];
  for (const name of watched) {
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
