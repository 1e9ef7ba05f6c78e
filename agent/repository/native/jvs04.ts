// Repositories of `jvs` 0.4, with the control data apart from the files: `.jvs/.jvs/` beside `main/`. The binary makes
// them and saves; reading, verifying and restoring are native: its own restore, killed, can leave neither tree. It
// can not fork where the control data is apart, nor delete one save point, so nobody can.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type Descriptor, type Finding, RepositoryError } from '../repository.ts';
import { messageOf } from './format/descriptor04.ts';
import { indentedJson, type Json } from './format/json.ts';
import { checkSnapshotId } from './format/names.ts';
import { hasCode } from './fs/errors.ts';
import { ensureDirectory, readIfThere, writeAtomic } from './fs/files.ts';
import { runTool } from './fs/tool.ts';
import { syncFilesystem } from './fs/volume.ts';
import { readIntents } from './intent.ts';
import { lookOver, MORTAL, refuseUnsafe } from './jvs8.ts';
import type { Layout } from './layout.ts';
import { discard, readConfig } from './publish.ts';
import { getSnapshot, tryDescriptor } from './reader.ts';
import type { SnapshotInput } from './snapshot.ts';

const envelope = z.object({
  ok: z.boolean(),
  data: z.nullable(z.looseObject({})),
  error: z.nullable(z.object({ code: z.string(), message: z.string() })),
});

/** @throws RepositoryError UnsupportedFormat where the binary is no jvs 0.4 */
export async function checkJvs04(binary: string): Promise<void> {
  const help = await runTool(binary, ['--no-color', '--help']);
  if (/^\s+save\s/m.test(help) && /^\s+cleanup\s/m.test(help)) return;
  throw new RepositoryError(
    'UnsupportedFormat',
    `the volume holds a repository of jvs 0.4, or is to have one, and ${binary} is no jvs 0.4: set JVS_BINARY to one`,
  );
}

export async function initialize04(layout: Layout, binary: string): Promise<void> {
  const payload = join(layout.volume, 'main');
  ensureDirectory(payload);
  const where = ['--control-root', controlRoot(layout), '--workspace', 'main'];
  await ask(binary, ['init', payload, ...where]);
  await syncFilesystem(layout.volume);
}

/** @throws RepositoryError UnsupportedFormat, DamagedRepository; undefined where there is none yet */
export function recognize04(layout: Layout): { repositoryId: string; formatVersion: number } | undefined {
  const mode = readIfThere(join(layout.jvs, 'repo_mode'))?.trim();
  if (mode === undefined && !existsSync(controlRoot(layout))) return undefined;
  if (mode !== 'separated_control') {
    throw new RepositoryError(
      'UnsupportedFormat',
      '.jvs holds no jvs 0.4 repository whose control data is apart from its files: nothing was changed; use another ' +
        'volume, or `jvs init main --control-root .jvs --workspace main` on an empty one',
    );
  }
  const repositoryId = readIfThere(layout.repositoryId)?.trim();
  const version = readIfThere(layout.formatVersion)?.trim();
  if (repositoryId && version === '1') return { repositoryId, formatVersion: 1 };
  throw new RepositoryError(
    'DamagedRepository',
    'repo_id or format_version in .jvs/.jvs is missing or unknown',
  );
}

/**
 * To be called under the lease: the binary is told where the volume is mounted now, and what a killed one left is
 * cleared up. Its own lock names a process that nobody can look for any more.
 */
export function repair04(layout: Layout): void {
  const config = layout.worktreeConfig('main');
  const real_path = join(layout.volume, 'main');
  const bound = JSON.parse(readFileSync(config, 'utf8')) as { [key: string]: Json };
  // It would save the files of another place, if there is one.
  if (bound.real_path !== real_path) writeAtomic(config, indentedJson({ ...bound, real_path }));
  if (!existsSync(running(layout))) return;
  for (const { id } of readIntents(layout)) {
    const published = existsSync(layout.snapshot(id)) && tryDescriptor(layout, id);
    if (published) moveHead(layout, published);
    discard(layout, id);
  }
  for (const folder of [layout.intents, layout.descriptors, join(layout.worktrees, 'main')]) {
    for (const name of readdirSync(folder)) {
      if (name.startsWith('.jvs-tmp-')) rmSync(join(folder, name), { force: true });
    }
  }
  rmSync(repositoryLock(layout), { recursive: true, force: true });
  rmSync(running(layout));
}

/** The same contract as `takeSnapshot`, but everything is copied and read each time. */
export async function takeSnapshotBy04(input: SnapshotInput, binary: string): Promise<Descriptor> {
  const { layout, config, note, tags, origin, control, lease } = input;
  refuseUnsafe(input);
  const { size, entries } = lookOver(layout, config.name, false);
  const consistency = input.quiesced ? 'quiesced' : 'crash-consistent';
  const message = messageOf(note, { tags, origin, consistency, size, entries });
  const where = ['--control-root', controlRoot(layout), '--workspace', config.name];
  control.step('intended');
  const data = await whileRunning(layout, () =>
    ask(binary, ['save', ...where, '--message', message], { JVS_SNAPSHOT_ENGINE: input.engine }),
  );
  lease.confirm();
  await syncFilesystem(layout.volume);
  return getSnapshot(layout, checkSnapshotId(String(data.save_point_id)));
}

/** Keeps people's `jvs` away while native code replaces the files. @throws RepositoryError Busy */
export async function withRepositoryLock<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  const lock = repositoryLock(layout);
  return whileRunning(layout, async () => {
    try {
      mkdirSync(lock);
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) throw cause;
      throw new RepositoryError('Busy', `jvs is changing the repository: ${lock} is there`, { cause });
    }
    const owner = {
      operation: 'restore',
      pid: process.pid,
      hostname: hostname(),
      created_at: new Date().toISOString(),
    };
    writeAtomic(join(lock, 'owner.json'), indentedJson(owner));
    return await work();
  });
}

export async function examine04(layout: Layout, binary: string): Promise<Finding[]> {
  const where = ['--control-root', controlRoot(layout), '--workspace', 'main'];
  const data = doctor.parse(await ask(binary, ['doctor', '--strict', ...where]));
  const findings = data.findings.map((found) => ({
    category: 'integrity' as const,
    severity: found.severity,
    description: found.description,
    path: found.path ?? layout.jvs,
    repaired: false,
  }));
  const failed = data.checks.filter(({ status }) => status === 'failed');
  for (const { message, name } of failed) {
    const description = `${name}: ${message}`;
    findings.push({
      category: 'integrity',
      severity: 'error',
      description,
      path: layout.jvs,
      repaired: false,
    });
  }
  return findings;
}

const doctor = z.object({
  findings: z.array(
    z.object({
      severity: z.enum(['critical', 'error', 'warning']),
      description: z.string(),
      path: z.optional(z.string()),
    }),
  ),
  checks: z.array(z.object({ name: z.string(), message: z.string(), status: z.string() })),
});

/** Where a killed binary published a save point, and did not come to moving the head. */
function moveHead(layout: Layout, { snapshot_id, parent_id, worktree_name }: Descriptor): void {
  const path = layout.worktreeConfig(worktree_name);
  const head = readConfig(layout, worktree_name)?.head_snapshot_id;
  if (head !== parent_id) return;
  // Ours knows fewer fields.
  const fields = JSON.parse(readFileSync(path, 'utf8')) as { [key: string]: Json };
  const moved = { ...fields, head_snapshot_id: snapshot_id, latest_snapshot_id: snapshot_id };
  writeAtomic(path, indentedJson(moved));
}

export function unsupported04(what: string): RepositoryError {
  return new RepositoryError(
    'Unsupported',
    `${what} is not possible in a repository of jvs 0.4: use jvs 8 or native`,
  );
}

function controlRoot(layout: Layout): string {
  return join(layout.volume, '.jvs');
}

function repositoryLock(layout: Layout): string {
  return join(layout.jvs, 'locks', 'repo.lock');
}

/** There while the binary, or who holds its lock in its place, is at work for the holder of the lease. */
function running(layout: Layout): string {
  return join(layout.agent, 'jvs-0.4-running');
}

async function whileRunning<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  if (existsSync(repositoryLock(layout))) {
    throw new RepositoryError('Busy', `jvs is changing the repository: ${repositoryLock(layout)} is there`);
  }
  writeAtomic(running(layout), '');
  try {
    return await work();
  } finally {
    repair04(layout);
  }
}

/** What it says in `data`; it exits with 1 for an unhealthy repository too. */
async function ask(
  binary: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Record<string, unknown>> {
  const [program = '', ...command] = [...MORTAL, binary, '--json', '--no-progress', '--no-color', ...args];
  const output = await runTool(program, command, { env: { ...process.env, ...env }, codes: [0, 1] });
  const answer = envelope.safeParse(tryJson(output));
  if (!answer.success) {
    throw new RepositoryError('Internal', `${binary} answered ${JSON.stringify(output.slice(0, 200))}`);
  }
  const { ok, data, error } = answer.data;
  if (ok && data) return data;
  const { code = 'E_UNKNOWN', message = 'it did not say why' } = error ?? {};
  const reason = code === 'E_REPO_BUSY' ? 'Busy' : code === 'E_NOT_ENOUGH_SPACE' ? 'VolumeFull' : 'Internal';
  throw new RepositoryError(reason, `${binary} ${args[0]}: ${code}: ${message}`);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
