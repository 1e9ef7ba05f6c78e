// Comparing in a process of its own, which prints what it finds, a line of JSON each: the pipe makes it wait while nobody
// reads, however much there is.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Difference, type DiffOptions, RepositoryError } from '../repository.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { ENTRY, type FlatError, flatten, HEAP, inflate } from './lane.ts';

export interface Comparison {
  options: Omit<EngineOptions, 'log'>;
  from: string;
  to: DiffOptions['to'];
}

type Line = Difference | { error: FlatError } | { end: true };

/** Printed together, characters. */
const BATCH = 32 * 1024;

/** @throws RepositoryError */
export async function* differences(
  { log: _, ...options }: EngineOptions,
  { from, to, signal }: DiffOptions,
): AsyncGenerator<Difference> {
  const comparison: Comparison = { options, from, to };
  const child = spawn(process.execPath, [...HEAP, ENTRY, JSON.stringify(comparison)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(signal && { signal, killSignal: 'SIGKILL' }),
  });
  const exited = once(child, 'exit').catch(() => {}); // it could not be started, or was cancelled: told below
  child.on('error', () => {});
  try {
    for await (const text of createInterface(child.stdout)) {
      const line = JSON.parse(text) as Line;
      if ('end' in line) return;
      if ('error' in line) throw inflate(line.error);
      yield line;
    }
    signal?.throwIfAborted();
    throw new RepositoryError('Internal', 'the process that compares has ended: see its memory limit');
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new RepositoryError('Aborted', 'the comparison was cancelled', { cause: error });
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

/** The other side. */
export async function printDifferences({ options, from, to }: Comparison): Promise<void> {
  let text = '';
  const flush = () => {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done);
    text = '';
  };
  const print = (line: Line) => {
    text += `${JSON.stringify(line)}\n`;
    if (text.length >= BATCH) flush();
  };
  try {
    const quiet = { progress: () => {}, step: () => {} };
    await new Engine(options).diff(from, to, quiet, (how, change) => print({ how, change }));
    print({ end: true });
  } catch (error) {
    print({ error: flatten(error) });
  }
  flush();
}
