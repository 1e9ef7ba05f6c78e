// One workspace, what has been asked of it, and what must be true of it whatever happened meanwhile.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Descriptor } from '../../../../agent/repository/repository.ts';
import type { Restore } from '../../../../operator/api/restore.ts';
import type { Snapshot } from '../../../../operator/api/snapshot.ts';
import type { Workspace } from '../../../../operator/api/workspace.ts';
import { apply, eventually, get, kinds, kubectl } from '../../../kubectl.ts';
import { exec, inPhase } from '../../world.ts';
import type { Work } from './day.ts';
import { agentPod, type Target } from './inject.ts';

/** A step may have to wait for a fault to end, and for what it did to be put right; seconds. */
const patience = 240;

interface Taken {
  /** Content of the file `stamp` when it was asked for. */
  stamp: string;
  pinned: boolean;
  uid: string;
}

export class Life {
  readonly target: Target;
  /** By name of the Snapshot resource: those that are Ready and that nobody deleted. */
  readonly taken = new Map<string, Taken>();
  /** Names of the worktrees that were forked, by their Restore. */
  readonly forks = new Map<string, string>();
  #stamp = '';
  #count = 0;

  constructor(target: Target) {
    this.target = target;
  }

  async do(work: Work): Promise<void> {
    const names = [...this.taken.keys()];
    const picked = 'of' in work ? names[work.of % names.length] : undefined;
    if (work.do === 'snapshot') await this.#snapshot(work.pinned);
    else if (work.do === 'restore' && picked) await this.#restore(picked);
    else if (work.do === 'fork' && picked) await this.#fork(picked);
    else if (work.do === 'delete' && picked) await this.#delete(picked);
    else if (work.do === 'removeFork') await this.#removeFork();
  }

  async #snapshot(pinned: boolean): Promise<void> {
    const name = `s${++this.#count}`;
    await this.#write(name);
    await this.#apply('Snapshot', name, { pinned });
    const { metadata } = await this.#phase<Snapshot>(kinds.snapshot, name, 'Ready');
    this.taken.set(name, { stamp: this.#stamp, pinned, uid: metadata.uid ?? '' });
  }

  async #restore(snapshot: string): Promise<void> {
    const name = `r${++this.#count}`;
    const before = this.#stamp;
    await this.#apply('Restore', name, { snapshot });
    const { status } = await this.#phase<Restore>(kinds.restore, name, 'Completed');
    this.#stamp = this.taken.get(snapshot)?.stamp ?? '';
    expect(await this.#read('main/stamp')).toBe(this.#stamp);
    expect(await this.#read(`.jvs/snapshots/${status?.preRestoreSnapshotID}/stamp`)).toBe(before);
  }

  async #fork(snapshot: string): Promise<void> {
    const name = `f${++this.#count}`;
    await this.#apply('Restore', name, { snapshot, newWorktree: name, deletionPolicy: 'Delete' });
    await this.#phase<Restore>(kinds.restore, name, 'Completed');
    this.forks.set(name, this.taken.get(snapshot)?.stamp ?? '');
  }

  async #removeFork(): Promise<void> {
    const [name] = this.forks.keys();
    if (!name) return;
    await this.#remove(kinds.restore, name);
    this.forks.delete(name);
    expect(existsSync(join(this.target.volume, 'worktrees', name))).toBe(false);
  }

  async #delete(name: string): Promise<void> {
    const { status } = await get<Snapshot>(kinds.snapshot, name, this.target.namespace);
    await this.#remove(kinds.snapshot, name);
    this.taken.delete(name);
    expect(existsSync(join(this.target.volume, '.jvs/snapshots', status?.snapshotID ?? ''))).toBe(false);
  }

  /** Whatever happened: nothing lost, nothing twice, nothing stuck, nothing damaged. */
  async check(): Promise<void> {
    const { namespace, workspace, volume } = this.target;
    const worktrees = ['main', ...this.forks.keys()].sort().join();
    await eventually(
      'the workspace is as before the fault',
      async () => {
        const { status } = await get<Workspace>(kinds.workspace, workspace, namespace);
        const conditions = new Map(status?.conditions?.map(({ type, status }) => [type, status]));
        const well = conditions.get('AgentConnected') === 'True' && conditions.get('Degraded') === 'False';
        const shown = status?.worktrees
          ?.map(({ name }) => name)
          .sort()
          .join();
        return status?.phase === 'Ready' && well && shown === worktrees;
      },
      patience,
    );
    const descriptors = await this.#descriptors();
    for (const [name, { stamp, uid }] of this.taken) {
      const { status } = await get<Snapshot>(kinds.snapshot, name, namespace);
      expect([name, status?.phase]).toEqual([name, 'Ready']);
      const own = descriptors.filter(({ tags }) => tags?.includes(`k8s-${uid}`));
      expect([name, own.map(({ snapshot_id }) => snapshot_id)]).toEqual([name, [status?.snapshotID]]);
      expect(await this.#read(`.jvs/snapshots/${status?.snapshotID}/stamp`)).toBe(stamp);
    }
    // Nothing that nobody asked for: what was deleted is gone, and no request made two.
    expect(descriptors.filter(({ agent }) => agent?.origin === 'manual')).toHaveLength(this.taken.size);
    expect(await this.#read('main/stamp')).toBe(this.#stamp);
    for (const [name, stamp] of this.forks) expect(await this.#read(`worktrees/${name}/stamp`)).toBe(stamp);
    // The schedule's own last for a moment.
    await eventually(
      'nothing half-done is left',
      async () => !(await readdir(join(volume, '.jvs/snapshots'))).some((name) => name.endsWith('.tmp')),
    );
    await this.#agent('verify --all');
    await this.#agent('doctor');
  }

  /** Writes the stamp that the next snapshot must hold. */
  async #write(stamp: string): Promise<void> {
    await eventually(
      'the workload writes',
      () =>
        exec(
          this.target.namespace,
          `deploy/jvs-${this.target.workspace}`,
          'main',
          `cd "$JVS_WORKSPACE" && echo ${stamp} > stamp && sync stamp`,
        ).then(() => true),
      patience,
    );
    this.#stamp = stamp;
  }

  #read(path: string): Promise<string> {
    return readFile(join(this.target.volume, path), 'utf8').then((text) => text.trim());
  }

  async #descriptors(): Promise<Descriptor[]> {
    const directory = join(this.target.volume, '.jvs/descriptors');
    const names = (await readdir(directory)).filter((name) => /^\d{13}-[0-9a-f]{8}\.json$/.test(name));
    // Retention may take one of the schedule's meanwhile.
    const read = (name: string) =>
      readFile(join(directory, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    return (await Promise.all(names.map(read))).flatMap((text) => (text ? JSON.parse(text) : []));
  }

  /** Ends with 0 only where all is well; a container that is being started again is waited for. */
  async #agent(command: string): Promise<void> {
    const problem = await eventually(
      `the agent answers ${command}`,
      async () => {
        const pod = await agentPod(this.target);
        return kubectl(
          ...['-n', this.target.namespace, 'exec', pod, '-c', 'jvs-agent', '--', 'jvs-agent'],
          ...[...command.split(' '), '--volume', '/jvs', '--json'],
        ).then(
          () => 'none',
          (error: Error) => {
            if (error.message.includes('command terminated with exit code')) return error;
            throw error;
          },
        );
      },
      patience,
    );
    if (problem !== 'none') throw problem;
  }

  async #apply(kind: 'Snapshot' | 'Restore', name: string, spec: object): Promise<void> {
    const { namespace, workspace } = this.target;
    const apiVersion = 'jvs.io/v1alpha1';
    const object = { apiVersion, kind, metadata: { namespace, name }, spec: { workspace, ...spec } };
    await eventually(`${kind} ${name} is applied`, () => apply(object), patience);
  }

  #phase<T extends { status?: { phase?: string; message?: string } }>(
    kind: string,
    name: string,
    phase: string,
  ): Promise<T> {
    return inPhase<T>(kind, this.target.namespace, name, phase, patience);
  }

  async #remove(kind: string, name: string): Promise<void> {
    await eventually(
      `${kind} ${name} has gone`,
      () =>
        kubectl(
          ...['-n', this.target.namespace, 'delete', kind, name],
          ...['--ignore-not-found', `--timeout=${patience}s`],
        ).then(() => true),
      patience,
    );
  }
}
