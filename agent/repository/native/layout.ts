import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Implementation } from '../repository.ts';

/** Where everything is on a volume. `agent/` is ours; the jvs binary ignores it. */
export class Layout {
  readonly volume: string;
  readonly jvs: string;
  /** Of the jvs whose repository it is. */
  readonly generation: '8' | '0.4';

  constructor(volume: string, jvs = join(volume, '.jvs'), generation: '8' | '0.4' = '8') {
    this.volume = volume;
    this.jvs = jvs;
    this.generation = generation;
  }

  /** As it is on the volume; on one without a repository, as `implementation` makes it. */
  static of(volume: string, implementation: Implementation = 'native'): Layout {
    const apart = join(volume, '.jvs', '.jvs');
    const is04 = implementation === 'jvs-0.4' || existsSync(join(apart, 'repo_mode'));
    return is04 ? new Layout(volume, apart, '0.4') : new Layout(volume);
  }

  get formatVersion(): string {
    return join(this.jvs, 'format_version');
  }
  get repositoryId(): string {
    return join(this.jvs, 'repo_id');
  }
  get snapshots(): string {
    return join(this.jvs, 'snapshots');
  }
  get descriptors(): string {
    return join(this.jvs, 'descriptors');
  }
  get intents(): string {
    return join(this.jvs, 'intents');
  }
  get worktrees(): string {
    return join(this.jvs, 'worktrees');
  }
  get audit(): string {
    return join(this.jvs, 'audit', 'audit.jsonl');
  }
  get agent(): string {
    return join(this.volume, '.jvs', 'agent');
  }
  get leases(): string {
    return join(this.agent, 'lease');
  }
  get indexes(): string {
    return join(this.agent, 'index');
  }

  get restores(): string {
    return join(this.agent, 'restore');
  }
  get deletions(): string {
    return join(this.agent, 'delete');
  }
  get removals(): string {
    return join(this.agent, 'remove');
  }
  /** A snapshot of another volume that is being received. */
  get imports(): string {
    return join(this.agent, 'import');
  }
  get reserve(): string {
    return join(this.agent, 'reserve');
  }
  get pins(): string {
    return join(this.jvs, 'pins');
  }

  snapshot(id: string): string {
    return join(this.snapshots, id);
  }
  descriptor(id: string): string {
    return join(this.descriptors, `${id}.json`);
  }
  intent(id: string): string {
    return join(this.intents, `${id}.json`);
  }
  worktreeConfig(name: string): string {
    return join(this.worktrees, name, 'config.json');
  }
  index(worktree: string): string {
    return join(this.indexes, worktree);
  }
  /** The payload's path below the volume, one component an element. */
  payload(worktree: string): string[] {
    return worktree === 'main' ? ['main'] : ['worktrees', worktree];
  }
}
