// The images for two platforms, as files: test/arm64 starts those of another machine.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readElf } from '../../hack/elf.ts';
import { buildForPlatforms } from '../../hack/images.ts';
import { ensurePackages } from '../cluster/packages.ts';
import { output } from '../cluster/process.ts';
import { unpackImages } from '../oci-archive.ts';

const machines = { amd64: 62, arm64: 183 };
let scratch: string;
/** Archives of operator and agent. */
let archives: string[];

beforeAll(async () => {
  await ensurePackages();
  scratch = await mkdtemp(join(tmpdir(), 'jvs-images-'));
  archives = await buildForPlatforms(['linux/amd64', 'linux/arm64'], { tag: 'platforms-test' });
}, 900_000);
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
  for (const archive of archives ?? []) await rm(archive);
});

test.each([
  ['operator', 0],
  ['agent', 1],
])('the %s is there for both, with programs and libraries of each', async (part, i) => {
  const images = await unpackImages(archives[i] ?? '', scratch);
  expect(images.map(({ platform }) => platform)).toMatchObject([
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64' },
  ]);
  for (const { platform, config, root } of images) {
    const machine = machines[platform.architecture as keyof typeof machines];
    expect(config.architecture).toBe(platform.architecture);
    expect(config.config.Entrypoint).toEqual(expect.arrayContaining(['node', '/app/main.js']));
    expect(await readFile(join(root, 'app/main.js'), 'utf8')).toContain(part);
    for (const name of ['node', 'bash', 'cp', 'sync', 'getfattr']) {
      const elf = readElf(await readFile(join(root, 'usr/bin', name)));
      expect(elf?.machine, name).toBe(machine);
      const libraries = await output('find', [root, '-name', '*.so.*', '-printf', '%f\n']);
      expect(libraries.split('\n'), name).toEqual(expect.arrayContaining(elf?.needed ?? []));
      const loader = await readFile(join(root, elf?.interpreter ?? ''));
      expect(readElf(loader)?.machine).toBe(machine);
    }
  }
});
