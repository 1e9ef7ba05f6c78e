/** What was taken of the worktree, and what its `head` descends from: a fork's begins elsewhere. */
export function ofWorktree<T extends { id: string; parent?: string | undefined; worktree: string }>(
  name: string,
  head: string | undefined,
  entries: readonly T[],
): T[] {
  const parents = new Map(entries.map(({ id, parent }) => [id, parent]));
  const lineage = new Set<string>();
  for (let id = head; id && !lineage.has(id); id = parents.get(id)) lineage.add(id);
  return entries.filter(({ id, worktree }) => worktree === name || lineage.has(id));
}
