import { expect, test } from 'vitest';
import { complete, questionOf } from './completion.ts';

const nowhere = () => Promise.reject(new Error('no cluster'));
const offered = async (...words: string[]) =>
  (await complete(words, nowhere)).split('\n').map((line) => line.split('\t')[0]);

test('commands, options and values that are known', async () => {
  expect(await offered('')).toEqual(expect.arrayContaining(['status', 'snapshot', 'history', 'fork', ':4']));
  expect(await offered('s')).toEqual(['status', 'snapshot', ':4', '']);
  expect(await offered('-n', 'ml', 'sna')).toEqual(['snapshot', ':4', '']);
  expect(await offered('snapshot', '--t')).toEqual(['--tag', '--template', '--timeout', ':4', '']);
  expect(await offered('snapshot', 'train', '--template', 'pre-')).toEqual([
    'pre-experiment',
    'pre-deploy',
    ':4',
    '',
  ]);
  expect(await offered('status', '-o', '')).toEqual(['table', 'wide', 'json', 'yaml', ':4', '']);
  expect(await offered('status', '--kubeconfig', '')).toEqual([':0', '']);
});

test('what the cluster knows is asked of the right one, for the right word', () => {
  const options = { namespace: undefined, context: undefined, kubeconfig: undefined };
  expect(questionOf(['status', ''])).toEqual({ kind: 'workspace', options, workspace: undefined });
  expect(questionOf(['status', 'train', ''])).toMatchObject({ kind: 'nothing' });
  expect(questionOf(['diff', '-n', 'ml', '--context=dev', 'train', 'x', ''])).toEqual({
    kind: 'snapshot',
    options: { ...options, namespace: 'ml', context: 'dev' },
    workspace: 'train',
  });
  expect(questionOf(['pin', ''])).toMatchObject({ kind: 'snapshot', workspace: undefined });
  expect(questionOf(['fork', 'train', 'x', ''])).toMatchObject({ kind: 'nothing' });
  expect(questionOf(['snapshot', '--wait', ''])).toMatchObject({ kind: 'workspace' });
  expect(questionOf(['snapshot', '--note', ''])).toMatchObject({ kind: 'nothing' });
  expect(questionOf(['--namespace', ''])).toMatchObject({ kind: 'namespace' });
});

test('no cluster, no choice', async () => {
  expect(await offered('status', '')).toEqual([':4', '']);
});
