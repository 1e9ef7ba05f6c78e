import { expect, test } from 'vitest';
import { UsageError } from '../../shared/command-line.ts';
import { parseArguments } from '../arguments.ts';
import { diff } from './diff.ts';

test('a worktree beside a second snapshot is refused: it would say nothing', async () => {
  const args = parseArguments(['diff', 'train', 'a', 'b', '--worktree', 'exp']);
  // Before anything is asked of the cluster.
  await expect(diff({ args } as never)).rejects.toThrow(UsageError);
});
