// Which engine a volume can do, found by trying.
import { constants, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineName } from '../repository.ts';
import { hasCode } from './fs/errors.ts';
import { filesystemType } from './fs/volume.ts';
import type { Layout } from './layout.ts';

export interface Ability {
  filesystem: string;
  effectiveEngine: EngineName;
  /** Why `effectiveEngine` is not the one asked for, for a person. */
  fallback?: string;
}

/** The best that the volume can do towards `engine`: a fallback is stated, never silent. */
export async function probe(layout: Layout, engine: EngineName): Promise<Ability> {
  const filesystem = filesystemType(layout.volume);
  if (engine === 'copy') return { filesystem, effectiveEngine: 'copy' };
  if (engine === 'reflink-copy' && canReflink(layout)) return { filesystem, effectiveEngine: engine };
  const needed = engine === 'reflink-copy' ? 'a filesystem with reflinks (XFS, Btrfs)' : 'a JuiceFS volume';
  const fallback = `${engine} needs ${needed}, the volume is ${filesystem}: changed files are copied`;
  return { filesystem, effectiveEngine: 'copy', fallback };
}

function canReflink(layout: Layout): boolean {
  const from = join(layout.agent, `.jvs-tmp-reflink-${process.pid.toString(16).padStart(8, '0')}`);
  const to = `${from}-copy`;
  try {
    writeFileSync(from, 'reflink?');
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL')) return false;
    throw error;
  } finally {
    rmSync(from, { force: true });
    rmSync(to, { force: true });
  }
}
