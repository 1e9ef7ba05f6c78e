import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JVS } from './tools.ts';

export interface Workload {
  key: string;
  name: string;
  /** Of the filesystem it is tried on. */
  gibibytes: number;
  inodes: number;
  /** Tools that would take many minutes. */
  without?: readonly string[];
  make(main: string): void;
  /** What changes before the repeated run: 1 % of the files, another 1 % each round. */
  change(main: string, round: number): void;
}

export function manyFiles(key: string, count: number, size: number, gibibytes: number): Workload {
  const directories = Math.ceil(count / 100);
  const file = (main: string, i: number) => join(main, `dir-${i % directories}`, `file-${i}`);
  const content = (seed: number) => Buffer.alloc(size, `content ${seed} `);
  return {
    key,
    name: `${count.toLocaleString('en')} files × ${size.toLocaleString('en')} B`,
    gibibytes,
    inodes: count * 5 + 100_000,
    make: (main) => {
      for (let d = 0; d < directories; d++) mkdirSync(join(main, `dir-${d}`), { recursive: true });
      for (let i = 0; i < count; i++) writeFileSync(file(main, i), content(i));
    },
    change: (main, round) => {
      for (let i = round; i < count; i += 100) writeFileSync(file(main, i), content(-round * count - i));
    },
  };
}

export const WORKLOADS: readonly Workload[] = [
  manyFiles('10k', 10_000, 4096, 4),
  {
    key: '1g',
    name: '1 GiB file + 100 small',
    gibibytes: 8,
    inodes: 100_000,
    make: (main) => {
      mkdirSync(main, { recursive: true });
      execFileSync('sh', ['-c', 'head -c 1G /dev/urandom > "$0"', join(main, 'big')]);
      for (let i = 0; i < 100; i++) writeFileSync(join(main, `small-${i}`), `small ${i}`);
    },
    change: (main, round) => writeFileSync(join(main, 'small-7'), `changed ${round}`),
  },
  { ...manyFiles('100k', 100_000, 512, 6), without: [JVS] },
];
