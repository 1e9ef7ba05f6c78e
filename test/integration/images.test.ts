// The images for two platforms, as files: nothing of another machine is run here.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readElf } from '../../hack/elf.ts';
import { buildForPlatforms } from '../../hack/images.ts';
import { ensurePackages } from '../cluster/packages.ts';

const run = promisify(execFile);
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

interface Descriptor {
  digest: string;
  platform?: { architecture: string; os: string };
}

/** Of each platform: the image's configuration, and its files in a directory. */
async function unpack(archive: string) {
  const layout = await mkdtemp(join(scratch, 'layout-'));
  await run('tar', ['--extract', '--file', archive, '--directory', layout]);
  const blob = ({ digest }: Descriptor) => join(layout, 'blobs', digest.replace(':', '/'));
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const index = await read(join(layout, 'index.json'));
  const list = await read(blob(index.manifests[0]));
  return Promise.all(
    list.manifests.map(async (one: Descriptor) => {
      const { config, layers } = await read(blob(one));
      const root = await mkdtemp(join(scratch, 'root-'));
      for (const layer of layers)
        await run('tar', ['--extract', '--file', blob(layer), '--directory', root, '--no-same-owner']);
      return { platform: one.platform, config: await read(blob(config)), root };
    }),
  );
}

test.each([
  ['operator', 0],
  ['agent', 1],
])('the %s is there for both, with programs and libraries of each', async (part, i) => {
  const images = await unpack(archives[i] ?? '');
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
      const { stdout } = await run('find', [root, '-name', '*.so.*', '-printf', '%f\n']);
      expect(stdout.split('\n'), name).toEqual(expect.arrayContaining(elf?.needed ?? []));
      const loader = await readFile(join(root, elf?.interpreter ?? ''));
      expect(readElf(loader)?.machine).toBe(machine);
    }
  }
});
