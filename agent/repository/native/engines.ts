// Which engine a volume can do, found by trying.
import { constants, copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineName } from '../repository.ts';
import { hasCode } from './fs/errors.ts';
import { juicefsClone } from './fs/juicefs.ts';
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
  const missing = await whatIsMissing(layout, engine, filesystem);
  if (missing === undefined) return { filesystem, effectiveEngine: engine };
  return {
    filesystem,
    effectiveEngine: 'copy',
    fallback: `${engine} needs ${missing}: changed files are copied`,
  };
}

async function whatIsMissing(
  layout: Layout,
  engine: EngineName,
  filesystem: string,
): Promise<string | undefined> {
  if (engine === 'reflink-copy' && !canReflink(layout, filesystem)) {
    return `a filesystem with reflinks, such as XFS and Btrfs, and the volume is ${filesystem}`;
  }
  if (engine === 'juicefs-clone') {
    if (!filesystem.includes('juicefs')) return `a JuiceFS volume, and this one is ${filesystem}`;
    const refused = await refusedClone(layout);
    if (refused) return `the root of a mount of JuiceFS 1.3 or newer, and this one says ${refused}`;
  }
  return undefined;
}

/** What the mount says to a clone; undefined when it makes it. */
async function refusedClone(layout: Layout): Promise<string | undefined> {
  const { from, to } = trialFiles(layout, 'clone');
  try {
    writeFileSync(from, 'clone?');
    await juicefsClone(from, to);
    return existsSync(to) ? undefined : 'that it is done, but it is not';
  } catch (error) {
    // No room to try.
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) return undefined;
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(from, { force: true });
    rmSync(to, { force: true });
  }
}

const trialFiles = (layout: Layout, what: string): { from: string; to: string } => {
  const from = join(layout.agent, `.jvs-tmp-${what}-${process.pid.toString(16).padStart(8, '0')}`);
  return { from, to: `${from}-copy` };
};

function canReflink(layout: Layout, filesystem: string): boolean {
  const { from, to } = trialFiles(layout, 'reflink');
  try {
    writeFileSync(from, 'reflink?');
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    // No room to try.
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) return filesystem === 'xfs' || filesystem === 'btrfs';
    if (hasCode(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL')) return false;
    throw error;
  } finally {
    rmSync(from, { force: true });
    rmSync(to, { force: true });
  }
}
