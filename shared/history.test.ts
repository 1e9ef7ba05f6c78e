import { expect, test } from 'vitest';
import { ofWorktree } from './history.ts';

test('of one worktree: its own, and what it descends from', () => {
  const entries = [
    { id: 'e', parent: 'b', worktree: 'main' },
    { id: 'd', parent: 'c', worktree: 'exp' },
    { id: 'c', parent: 'a', worktree: 'exp' },
    { id: 'b', parent: 'a', worktree: 'main' },
    { id: 'a', worktree: 'main' },
  ];
  const ids = (name: string, head?: string) => ofWorktree(name, head, entries).map(({ id }) => id);
  expect(ids('exp', 'd')).toEqual(['d', 'c', 'a']);
  expect(ids('main', 'e')).toEqual(['e', 'b', 'a']);
  expect(ids('none')).toEqual([]);
});

test('a circle of parents ends', () => {
  const circle = [
    { id: 'a', parent: 'b', worktree: 'x' },
    { id: 'b', parent: 'a', worktree: 'x' },
  ];
  expect(ofWorktree('main', 'a', circle)).toEqual(circle);
});
