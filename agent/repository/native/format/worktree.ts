import * as z from 'zod/mini';
import { RepositoryError, type Worktree } from '../../repository.ts';
import { indentedJson } from './json.ts';

const config = z.object({
  name: z.string(),
  base_snapshot_id: z.optional(z.string()),
  head_snapshot_id: z.optional(z.string()),
  latest_snapshot_id: z.optional(z.string()),
  created_at: z.string(),
});

/** @throws RepositoryError DamagedRepository */
export function parseWorktree(text: string, name: string): Worktree {
  try {
    return config.parse(JSON.parse(text)) as Worktree;
  } catch (cause) {
    throw new RepositoryError('DamagedRepository', `configuration of worktree ${name} can not be read`, {
      cause,
    });
  }
}

export function serializeWorktree(c: Worktree): string {
  return indentedJson({
    name: c.name,
    base_snapshot_id: c.base_snapshot_id || undefined,
    head_snapshot_id: c.head_snapshot_id || undefined,
    latest_snapshot_id: c.latest_snapshot_id || undefined,
    created_at: c.created_at,
  });
}
