// What a process holds, from /proc.
import { readFileSync } from 'node:fs';

/** MiB. */
export interface Memory {
  anonymous: number;
  resident: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return { anonymous: of('Anonymous'), resident: of('Rss') };
}
