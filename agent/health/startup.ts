// What the pod's other containers wait for. Pure.
import type { VolumeState } from '../volume/volume.ts';

type Seen = Pick<VolumeState, 'info' | 'worktrees' | 'problem'>;

/** Why the repository can not be worked with (yet); undefined when it can. */
export const notOpen = ({ info, problem }: Seen): string | undefined =>
  info ? undefined : (problem?.message ?? 'not open yet');

/** Why containers that work in `worktree` must not start yet; undefined when they may. */
export function notReadyFor(worktree: string, state: Seen): string | undefined {
  const closed = notOpen(state);
  if (closed !== undefined || worktree === 'main') return closed;
  if (state.worktrees.some(({ name }) => name === worktree)) return undefined;
  const names = state.worktrees.map(({ name }) => name).join(', ');
  return `the pod waits for worktree ${worktree} (annotation jvs.io/worktree), and there are ${names}: make it by a Restore with newWorktree: ${worktree}, or correct the annotation`;
}
