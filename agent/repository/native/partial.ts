// Which part of a worktree a partial snapshot takes.
import { RepositoryError } from '../repository.ts';

/** By name: `all` of the entry, or only what is selected within it. Names are latin1, as everywhere. */
export type Selection = Map<string, Selection | 'all'>;

/**
 * @param paths below the worktree's root, `/` between names
 * @throws RepositoryError InvalidArgument
 */
export function selectPaths(paths: readonly string[]): { selection: Selection; normalized: string[] } {
  const selection: Selection = new Map();
  const normalized = [...new Set(paths.map(normalize))].sort();
  for (const path of normalized) {
    const names = Buffer.from(path).toString('latin1').split('/');
    let at: Selection = selection;
    for (const [i, name] of names.entries()) {
      const below = at.get(name);
      if (below === 'all') break;
      if (i === names.length - 1) {
        at.set(name, 'all');
        break;
      }
      const next: Selection = below ?? new Map();
      at.set(name, next);
      at = next;
    }
  }
  return { selection, normalized };
}

function normalize(path: string): string {
  const names = path.replace(/\/+$/, '').split('/');
  const bad = names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0'));
  if (!bad) return names.join('/');
  throw new RepositoryError(
    'InvalidArgument',
    `path ${JSON.stringify(path.slice(0, 200))}: give a path below the worktree, such as data/models, without . and ..`,
  );
}

/** Entries that are selected and not there, or no directory where the selection goes on below them. */
export function missingPath(path: string): RepositoryError {
  return new RepositoryError(
    'InvalidArgument',
    `path ${JSON.stringify(Buffer.from(path, 'latin1').toString())} is not in the worktree, or leads through a link`,
  );
}
