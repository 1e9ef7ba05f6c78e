// The base image for a platform, put together from Debian's packages and the npm package of Node, none of which is run:
// so it can be another platform than the machine's. What is in it is what test/cluster/base-image.ts takes of the machine.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { type BaseImage, baseImage, tools } from '../test/cluster/base-image.ts';
import { cacheRoot } from '../test/cluster/paths.ts';
import { output } from '../test/cluster/process.ts';
import { readElf } from './elf.ts';

/** As Docker names the architecture after linux/: as npm does, and where Debian has its libraries. */
const architectures: Record<string, { npm: string; triplet: string }> = {
  amd64: { npm: 'x64', triplet: 'x86_64-linux-gnu' },
  arm64: { npm: 'arm64', triplet: 'aarch64-linux-gnu' },
};

/** What the tools are in; libatomic1 is Node's. */
const packages = [
  ...['bash', 'dash', 'coreutils', 'findutils', 'grep', 'sed', 'procps', 'mount', 'attr'],
  ...['libstdc++6', 'libatomic1'],
];

/** Needs apt, of a Debian of the release that the image is to be of. @throws Error when a library is missing */
export async function debianBaseImage(platform: string): Promise<BaseImage> {
  const architecture = platform.replace(/^linux\//, '');
  const names = architectures[architecture];
  if (!names) throw new Error(`${platform} is none of linux/${Object.keys(architectures).join(', linux/')}`);
  const root = await unpacked(architecture, `node-linux-${names.npm}@${packageJson.devDependencies.node}`);
  const find = (directories: readonly string[], name: string) =>
    directories.map((directory) => join(root, directory, name)).find(existsSync);
  const binaries = ['usr/bin', 'bin', 'usr/sbin', 'sbin', 'package/bin'];
  const programs = ['node', ...tools].map((tool) => {
    const source = find(binaries, tool === 'sh' ? 'dash' : tool);
    if (!source) throw new Error(`no package of ${packages.join(', ')} has the program ${tool}`);
    return [`usr/bin/${tool}`, source] as const;
  });
  const places = [`lib/${names.triplet}`, `usr/lib/${names.triplet}`];
  const files = new Map<string, string>(programs);
  for (const [path, source] of files) {
    const { interpreter, needed = [] } = readElf(await readFile(source)) ?? {};
    for (const name of [...needed, ...(interpreter ? [basename(interpreter)] : [])]) {
      const library = find(places, name);
      if (!library) throw new Error(`/${path} needs ${name}, which no package brings`);
      files.set(`lib/${names.triplet}/${name}`, library);
      if (interpreter && name === basename(interpreter)) files.set(interpreter.slice(1), library);
    }
  }
  return baseImage([...files], platform);
}

/** A directory with the packages' files, in the cache until one of them has a new version. */
async function unpacked(architecture: string, node: string): Promise<string> {
  const cache = join(cacheRoot, 'packages', architecture);
  const apt = await aptFor(architecture, cache);
  const install = ['install', '--yes', '--no-install-recommends', ...packages];
  await apt('update', '-qq');
  const versions = await apt('--print-uris', '-qq', ...install);
  const key = createHash('sha256').update(`${node}\n${versions}`).digest('hex').slice(0, 16);
  const done = join(cache, key);
  if (existsSync(done)) return done;
  await apt('--download-only', '-qq', ...install);
  const root = await mkdtemp(`${done}.`);
  try {
    const archives = join(cache, 'archives');
    for (const name of (await readdir(archives)).filter((one) => one.endsWith('.deb')))
      await output('dpkg-deb', ['--extract', join(archives, name), root]);
    const tarball = (await output('npm', ['pack', '--silent', node], { cwd: root })).trim();
    await output('tar', [
      '--extract',
      '--file',
      join(root, tarball),
      '--directory',
      root,
      'package/bin/node',
    ]);
    await rename(root, done);
    await rm(archives, { recursive: true });
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw error;
  }
  return done;
}

/** apt-get for a system of the architecture on which nothing is installed; the machine's own is not touched. */
async function aptFor(architecture: string, cache: string): Promise<(...args: string[]) => Promise<string>> {
  const status = join(cache, 'status');
  for (const directory of ['lists/partial', 'archives/partial'])
    await mkdir(join(cache, directory), { recursive: true });
  await writeFile(status, '');
  const options = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '', // the cache is in the home of whoever this is
    'Dir::State::status': status,
    'Dir::State::lists': join(cache, 'lists'),
    'Dir::Cache': cache,
    'Dir::Cache::archives': join(cache, 'archives'),
    'Debug::NoLocking': 'true',
  };
  const flags = Object.entries(options).map(([name, value]) => `-o${name}=${value}`);
  return (...args) => output('apt-get', [...flags, ...args]);
}
