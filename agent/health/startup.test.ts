import { expect, test } from 'vitest';
import type { RepositoryInfo } from '../repository/repository.ts';
import { notOpen, notReadyFor } from './startup.ts';

const info: RepositoryInfo = {
  repositoryId: 'r',
  formatVersion: 1,
  filesystem: 'ext4',
  engine: 'copy',
  effectiveEngine: 'copy',
};
const worktrees = ['main', 'a'].map((name) => ({ name, created_at: '' }));

test('containers wait for the repository, and for the worktree that they work in', () => {
  const problem = { reason: 'Busy', message: 'another writer has it' };
  for (const worktree of ['main', 'a', 'b']) {
    expect(notReadyFor(worktree, { problem, worktrees: [] })).toBe('another writer has it');
  }
  const open = { info, worktrees };
  expect(notReadyFor('main', open)).toBeUndefined();
  expect(notReadyFor('a', open)).toBeUndefined();
  expect(notReadyFor('b', open)).toMatch(/waits for worktree b .*there are main, a: .*newWorktree: b/);
});

test('an open repository is worked with, whatever containers wait for', () => {
  expect(notOpen({ worktrees: [] })).toBe('not open yet');
  expect(notOpen({ info, worktrees })).toBeUndefined();
});
