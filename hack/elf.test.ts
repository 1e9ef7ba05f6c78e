import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readElf } from './elf.ts';

const machines: Partial<Record<NodeJS.Architecture, number>> = { x64: 62, arm64: 183 };

test('a program has its machine, a loader that is there, and the C library among what it needs', async () => {
  const elf = readElf(await readFile(process.execPath));
  expect(elf?.machine).toBe(machines[process.arch]);
  expect(existsSync(elf?.interpreter ?? '')).toBe(true);
  expect(elf?.needed).toContain('libc.so.6');
});

test('a loader needs nothing and has none', async () => {
  const { interpreter = '' } = readElf(await readFile(process.execPath)) ?? {};
  expect(readElf(await readFile(interpreter))).toEqual({ machine: machines[process.arch], needed: [] });
});

test('what is no program is none', async () => {
  expect(readElf(await readFile(import.meta.filename))).toBeUndefined();
  expect(readElf(Buffer.from('\x7fELF'))).toBeUndefined();
});
