// Snapshots by the `jvs` 8 binary, under our lease. Everything else is done by the native code: the binary can not
// delete, and its restore, gc, doctor and init lose data where something else is at work.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type Descriptor, type EngineName, RepositoryError, type Worktree } from '../repository.ts';
import { serializeDescriptor } from './format/descriptor.ts';
import { checkSnapshotId } from './format/names.ts';
import { READY } from './format/payload.ts';
import { rfc3339 } from './format/time.ts';
import { serializeWorktree } from './format/worktree.ts';
import { Directory } from './fs/directory.ts';
import { writeAtomic } from './fs/files.ts';
import { runTool } from './fs/tool.ts';
import { syncFilesystem } from './fs/volume.ts';
import type { Layout } from './layout.ts';
import { getSnapshot } from './reader.ts';
import { openPayload, type SnapshotInput } from './snapshot.ts';

/** The binary's names of the engines. */
const ENGINES: Record<EngineName, string> = {
  copy: 'copy',
  'reflink-copy': 'reflink',
  'juicefs-clone': 'juicefs',
};

const answer = z.object({ snapshot_id: z.string() });

/** @throws RepositoryError UnsupportedFormat where the binary is no jvs 8 */
export async function checkJvs8(binary: string): Promise<void> {
  const help = await runTool(binary, ['--no-color', '--help']);
  if (/^\s+snapshot\s/m.test(help) && /^\s+worktree\s/m.test(help)) return;
  const what = /^\s+save\s/m.test(help) ? 'is jvs 0.4, whose repositories are others' : 'is no jvs 8';
  throw new RepositoryError(
    'UnsupportedFormat',
    `${binary} ${what}: set JVS_BINARY to a jvs 8, or use native`,
  );
}

/** The same contract as `takeSnapshot`, but everything is copied and read each time. */
export async function takeSnapshotByJvs8(input: SnapshotInput, binary: string): Promise<Descriptor> {
  const { layout, config, control, lease } = input;
  refuseUnsafe(input);
  const found = lookOver(layout, config.name, true);
  control.step('intended');
  const made = await withoutDetachedState(layout, config, () => run(input, binary));
  const descriptor = await getSnapshot(layout, checkSnapshotId(made));
  lease.confirm();
  const described: Descriptor = {
    ...descriptor,
    agent: {
      completed_at: rfc3339(Date.now()),
      effective_engine: input.effectiveEngine === 'juicefs-clone' ? 'copy' : input.effectiveEngine,
      origin: input.origin,
      consistency: input.quiesced ? 'quiesced' : 'crash-consistent',
      size: found.size,
      unique_bytes: found.size,
      entries: found.entries,
    },
  };
  writeAtomic(layout.descriptor(made), serializeDescriptor(described));
  await syncFilesystem(layout.volume);
  return described;
}

/** @throws RepositoryError InvalidArgument for what the binaries do, but not safely, or do no more */
export function refuseUnsafe({ compression, partial }: SnapshotInput): void {
  if (compression) {
    throw new RepositoryError(
      'InvalidArgument',
      'the jvs binary damages what it compresses: use native to compress',
    );
  }
  if (partial) {
    throw new RepositoryError(
      'InvalidArgument',
      'partial snapshots of the jvs binary follow links out of the worktree: use native',
    );
  }
}

/** A program that is run by this, or that takes its place, dies with the engine's process, which is killed to cancel. */
export const MORTAL = ['setpriv', '--pdeathsig', 'KILL'];

async function run(input: SnapshotInput, binary: string): Promise<string> {
  const { layout, config, note, tags, engine } = input;
  const args = ['--json', '--no-progress', '--no-color', 'snapshot'];
  for (const tag of tags) args.push('--tag', tag);
  args.push('--', note);
  // Modes are the payload's less the umask.
  const [program = '', ...command] = [...MORTAL, 'sh', '-c', 'umask 0; exec "$@"', 'jvs', binary, ...args];
  const output = await runTool(program, command, {
    cwd: join(layout.volume, ...layout.payload(config.name)),
    env: { ...process.env, JVS_ENGINE: ENGINES[engine] },
  });
  try {
    return answer.parse(JSON.parse(output)).snapshot_id;
  } catch (cause) {
    throw new RepositoryError('Internal', `${binary} answered ${JSON.stringify(output.slice(0, 200))}`, {
      cause,
    });
  }
}

/** The binary refuses a worktree whose head is not its latest snapshot; the other branch is pinned instead. */
async function withoutDetachedState<T>(layout: Layout, config: Worktree, work: () => Promise<T>): Promise<T> {
  const { head_snapshot_id: head, latest_snapshot_id: latest, name } = config;
  if (!head || head === latest) return await work();
  const write = (latest_snapshot_id: string) =>
    writeAtomic(layout.worktreeConfig(name), serializeWorktree({ ...config, latest_snapshot_id }));
  write(head);
  try {
    return await work();
  } catch (error) {
    write(latest ?? '');
    throw error;
  }
}

/** @throws RepositoryError InvalidArgument for what the binary hangs or fails on; `links`: where they lead nowhere too */
export function lookOver(
  layout: Layout,
  worktree: string,
  links: boolean,
): { size: number; entries: number } {
  const found = { size: 0, entries: 0 };
  const walk = (directory: Directory, path: string): void => {
    for (const name of directory.names()) {
      const entry = directory.lstat(name);
      if (!entry) continue;
      const place = path + Buffer.from(name, 'latin1').toString();
      found.entries++;
      if (path === '' && name === READY) throw refuse(place, 'which the format keeps for itself');
      if (entry.kind === 'file') found.size += entry.size;
      else if (entry.kind === 'symlink') {
        if (links) checkTarget(directory, name, place);
      } else if (entry.kind !== 'dir') throw refuse(place, `a ${entry.kind}`);
      if (entry.kind !== 'dir') continue;
      using below = directory.tryOpenDirectory(name);
      if (below) walk(below, `${place}/`);
    }
  };
  using volume = Directory.open(layout.volume);
  using payload = openPayload(volume, layout, worktree);
  walk(payload, '');
  return found;
}

/** It opens what links lead to, to fsync it. */
function checkTarget(directory: Directory, name: string, place: string): void {
  const target = statSync(directory.path(name), { throwIfNoEntry: false });
  if (!target?.isFile() && !target?.isDirectory()) throw refuse(place, 'a link that leads to no file');
}

function refuse(place: string, what: string): RepositoryError {
  return new RepositoryError(
    'InvalidArgument',
    `${place} is ${what}; the jvs binary can not take a snapshot of it: remove it, or use native`,
  );
}
