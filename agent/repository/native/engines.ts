// Which engine a volume can do, found by trying.
import { constants, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineName } from '../repository.ts';
import { hasCode } from './fs/errors.ts';
import { MissingTool, runTool } from './fs/tool.ts';
import { filesystemType } from './fs/volume.ts';
import type { Layout } from './layout.ts';

const JUICEFS = 'juicefs';

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
    if (!(await hasJuicefs())) return "JuiceFS's own program, and there is no juicefs on the agent's PATH";
  }
  return undefined;
}

async function hasJuicefs(): Promise<boolean> {
  try {
    await runTool(JUICEFS, ['version']);
    return true;
  } catch (error) {
    if (error instanceof MissingTool) return false;
    throw error;
  }
}

/** Makes `to`, which must not exist, in time that does not depend on the data. @throws RepositoryError */
export async function juicefsClone(from: string, to: string): Promise<void> {
  await runTool(JUICEFS, ['clone', '--preserve', from, to]);
}

function canReflink(layout: Layout, filesystem: string): boolean {
  const from = join(layout.agent, `.jvs-tmp-reflink-${process.pid.toString(16).padStart(8, '0')}`);
  const to = `${from}-copy`;
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
