import { expect, test } from 'vitest';
import { UsageError, wholeNumber } from '../shared/command-line.ts';
import { parseArguments, usage, waitingTime } from './arguments.ts';

const parse = (line: string) => parseArguments(line.split(' ').filter(Boolean));

test('options stand where they like, those of kubectl before the command too', () => {
  for (const line of [
    '-n ml --context dev snapshot train --tag a --tag b --note x --wait -o json',
    'snapshot --wait --note=x --tag a train --tag=b --output json --namespace ml --context=dev',
  ]) {
    const args = parse(line);
    expect([args.command, args.operands, args.output]).toEqual(['snapshot', ['train'], 'json']);
    expect([args.text('namespace'), args.text('context'), args.text('note')]).toEqual(['ml', 'dev', 'x']);
    expect([args.texts('tag'), args.flag('wait')]).toEqual([['a', 'b'], true]);
  }
});

test('what is wrong is said in a line', () => {
  const wrong: Record<string, string> = {
    '-n ml': 'a command is missing',
    'snapshoot train': 'unknown command "snapshoot"',
    snapshot: 'snapshot: WORKSPACE is missing',
    'diff train': 'diff: FROM is missing',
    'pin a b': 'pin: unexpected "b"',
    'status -o xml': '--output: "xml" is none of table, wide, json, yaml',
    'status --wait': "Unknown option '--wait'",
    'snapshot train --note': "Option '--note <value>' argument missing",
  };
  for (const [line, message] of Object.entries(wrong)) {
    expect(() => parse(line), line).toThrow(UsageError);
    expect(() => parse(line), line).toThrow(message);
  }
  // As of a variable that is not set.
  expect(() => parseArguments(['status', ''])).toThrow('status: WORKSPACE is empty');
  expect(() => parseArguments(['restore', 'train', ''])).toThrow('restore: SNAPSHOT is empty');
  expect(() => wholeNumber(parse('history train --limit -1'), 'limit')).toThrow(UsageError);
  expect(() => wholeNumber(parse('history train --limit=x'), 'limit')).toThrow('--limit: "x" is no whole');
  expect(() => waitingTime(parse('snapshot train --timeout 5'))).toThrow('--timeout: "5" is no duration');
});

test('waiting has an end', () => {
  expect(waitingTime(parse('snapshot train'))).toBe(600_000);
  expect(waitingTime(parse('snapshot train --timeout 90s'))).toBe(90_000);
  expect(waitingTime(parse('snapshot train --timeout 365d'))).toBe(2 ** 31 - 1);
});

test('help is of the command that is named', () => {
  expect(parse('restore -h')).toMatchObject({ command: 'restore', help: true });
  expect(parse('-h')).toMatchObject({ command: undefined, help: true });
  expect(usage('diff')).toMatch(/^kubectl jvs diff WORKSPACE FROM \[TO\]: .*\n {2}--worktree NAME/);
  expect(usage()).toMatch(/ {2}fork WORKSPACE SNAPSHOT NEW +make a worktree/);
});
