import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { StateStore } from './state.ts';

const log = pino({ level: 'silent' });
const schema = z.object({ n: z.number() });
let volume: string;
let path: string;

beforeEach(() => {
  volume = mkdtempSync(join(tmpdir(), 'state-'));
  mkdirSync(join(volume, '.jvs/agent'), { recursive: true });
  path = join(volume, '.jvs/agent/file.json');
});
afterEach(() => rmSync(volume, { recursive: true }));

test('what can not be read is left where it is for a while, as that may pass', async () => {
  const store = new StateStore(volume, log);
  mkdirSync(path);
  for (let i = 0; i < 2; i++) await expect(store.load('file', schema)).rejects.toThrow('can not be read');
  rmSync(path, { recursive: true });
  writeFileSync(path, '{"n":1}');
  expect(await store.load('file', schema)).toEqual({ n: 1 });
  expect(store.damaged).toEqual([]);
});

test('what can not be read for long is set aside, and said', async () => {
  const store = new StateStore(volume, log, { patienceMs: 0 });
  mkdirSync(path);
  expect(await store.load('file', schema)).toBeUndefined();
  expect(store.damaged).toEqual([{ name: 'file', path: `${path}.damaged` }]);
  expect(existsSync(path)).toBe(false);
  expect(await store.load('file', schema)).toBeUndefined();
  expect(store.damaged).toHaveLength(1);
});
