import { expect, test } from 'vitest';
import { Terminal } from './terminal.ts';

function terminalOf(isTTY: boolean, env: Record<string, string> = {}, columns = 80) {
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string | Uint8Array) => written[name].push(text.toString()),
    isTTY,
    columns,
  });
  const around = { stdout: to('stdout'), stderr: to('stderr'), env, now: () => new Date() };
  return {
    terminal: new Terminal(around, 'table'),
    stdout: () => written.stdout.join(''),
    stderr: () => written.stderr.join(''),
  };
}

test('colours for people who look at a terminal and want them', () => {
  const shown = (isTTY: boolean, env?: Record<string, string>) => {
    const { terminal, stdout } = terminalOf(isTTY, env);
    terminal.line({ text: 'good', style: 'green' });
    return stdout();
  };
  expect(shown(true)).toBe('\x1b[32mgood\x1b[39m\n');
  expect(shown(true, { NO_COLOR: '1' })).toBe('good\n');
  expect(shown(true, { TERM: 'dumb' })).toBe('good\n');
  expect(shown(false)).toBe('good\n');
});

test('progress is drawn over itself, and gone when something is said', () => {
  const { terminal, stderr } = terminalOf(true);
  terminal.progress('InProgress', 1024, 4096);
  terminal.progress('InProgress', 2048, 4096);
  terminal.note('done');
  terminal.endProgress();
  const bar = (full: number) => `[${'█'.repeat(full)}${'░'.repeat(24 - full)}]`;
  expect(stderr()).toBe(
    `\r\x1b[KInProgress ${bar(6)}  25%  1.0 KiB of 4.0 KiB` +
      `\r\x1b[KInProgress ${bar(12)}  50%  2.0 KiB of 4.0 KiB` +
      '\r\x1b[Kdone\n',
  );
});

test('a terminal that has no size cuts nothing off', () => {
  const { terminal, stdout, stderr } = terminalOf(true, { NO_COLOR: '1' }, 0);
  terminal.table(['NAME', 'STATUS'], [['train', 'Ready']]);
  terminal.progress('InProgress', 1024, 2048);
  expect(stdout()).toBe('NAME    STATUS\ntrain   Ready\n');
  expect(stderr()).toContain('1.0 KiB of 2.0 KiB');
});

test('no progress into a file', () => {
  const { terminal, stderr } = terminalOf(false);
  terminal.progress('InProgress', 1, 2);
  terminal.endProgress();
  expect(stderr()).toBe('');
});
