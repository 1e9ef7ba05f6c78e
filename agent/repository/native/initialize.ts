// Recognising a repository, and making one where there is none. An existing one is never touched here.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { RepositoryError } from '../repository.ts';
import { newRepositoryId } from './format/names.ts';
import { rfc3339 } from './format/time.ts';
import { serializeWorktree } from './format/worktree.ts';
import { asRepositoryError, hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere } from './fs/files.ts';
import { syncFilesystem } from './fs/volume.ts';
import { Layout } from './layout.ts';

export const FORMAT_VERSION = 1;

export interface Identity {
  repositoryId: string;
  formatVersion: number;
}

/**
 * Undefined where the volume has no repository yet.
 * @throws RepositoryError ForeignRepository, UnsupportedFormat, DamagedRepository, PermissionDenied
 */
export function recognize(layout: Layout): Identity | undefined {
  const stats = lstatSync(layout.jvs, { throwIfNoEntry: false });
  if (!stats) return undefined;
  const refuse = (what: string) =>
    new RepositoryError(
      'ForeignRepository',
      `.jvs on the volume ${what}: nothing was changed; move it away, or use another volume`,
    );
  if (!stats.isDirectory()) throw refuse('is no directory of a JVS repository');
  const names = readdirSync(layout.jvs);
  if (names.length === 0) return undefined;
  if (names.includes('repo_mode')) {
    throw new RepositoryError(
      'UnsupportedFormat',
      'the whole volume is a folder of JVS 0.4, control data and files in one: nothing was changed; the agent works ' +
        'with one whose control data is apart (jvs init main --control-root .jvs --workspace main)',
    );
  }
  const version = readSmall(layout.formatVersion);
  if (version === undefined || !/^\d{1,9}$/.test(version)) {
    throw refuse('has no readable format_version, so it is no repository of ours');
  }
  if (Number(version) !== FORMAT_VERSION) {
    throw new RepositoryError(
      'UnsupportedFormat',
      `the repository has format_version ${version}, this agent knows ${FORMAT_VERSION}: nothing was changed; ` +
        'upgrade the agent (annotation jvs.io/agent-image or the operator)',
    );
  }
  const repositoryId = readSmall(layout.repositoryId);
  if (!repositoryId) {
    throw new RepositoryError(
      'DamagedRepository',
      '.jvs/repo_id is missing: restore it from a backup, or write a UUID into it',
    );
  }
  for (const name of ['snapshots', 'descriptors', 'worktrees']) {
    if (!names.includes(name)) throw refuse(`has no ${name}/`);
  }
  return { repositoryId, formatVersion: FORMAT_VERSION };
}

function readSmall(path: string): string | undefined {
  try {
    return readIfThere(path)?.slice(0, 100).trim();
  } catch (error) {
    throw asRepositoryError(error, `reading ${path}`);
  }
}

/**
 * Makes a repository as `jvs init` does, all at once: another agent sees none of it or all of it. Where another
 * one was faster, its repository stays. Call `recognize` afterwards.
 */
export async function initialize(layout: Layout, now: number): Promise<void> {
  const staging = new Layout(layout.volume, mkdtempSync(join(layout.volume, '.jvs-init-')));
  try {
    chmodSync(staging.jvs, 0o755);
    for (const folder of [staging.worktrees, staging.snapshots, staging.descriptors, staging.intents]) {
      ensureDirectory(folder);
    }
    for (const name of ['audit', 'gc', 'agent']) ensureDirectory(join(staging.jvs, name));
    ensureDirectory(join(staging.worktrees, 'main'));
    write(staging.formatVersion, `${FORMAT_VERSION}\n`, 0o600);
    write(staging.repositoryId, `${newRepositoryId()}\n`, 0o600);
    write(
      staging.worktreeConfig('main'),
      serializeWorktree({ name: 'main', created_at: rfc3339(now) }),
      0o644,
    );
    makePayload(join(layout.volume, 'main'));
    makePayload(join(layout.volume, 'worktrees'));
    await syncFilesystem(layout.volume);
    renameSync(staging.jvs, layout.jvs);
    await syncFilesystem(layout.volume);
  } catch (error) {
    rmSync(staging.jvs, { recursive: true, force: true });
    // Gone: the one that was faster took it for debris.
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
  }
}

function write(path: string, content: string, mode: number): void {
  writeFileSync(path, content, { mode });
  chmodSync(path, mode);
}

function makePayload(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if (!lstatSync(path).isDirectory()) {
      throw new RepositoryError('ForeignRepository', `${path} is no directory: move it away`);
    }
    return;
  }
  chmodSync(path, 0o755);
}
