import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { ImageEngine } from './engine.ts';
import { checkout } from './paths.ts';
import { output } from './process.ts';

// Where no registry is reached, the base image is put together from this machine: the Node that package.json
// pins, and the GNU tools that the agent and people who debug it call, with the libraries of all of them.
const node = join(checkout, 'node_modules/node/bin/node');
export const tools: readonly string[] = [
  ...['sh', 'bash', 'cat', 'ls', 'cp', 'mv', 'rm', 'ln', 'mkdir', 'rmdir', 'touch', 'chmod', 'chown', 'stat'],
  ...['sync', 'du', 'df', 'id', 'env', 'head', 'tail', 'wc', 'sort', 'find', 'grep', 'sed', 'sleep', 'true'],
  ...['sha256sum', 'readlink', 'truncate', 'dd', 'date', 'ps', 'mount', 'getfattr', 'setfattr'],
];

export interface BaseImage {
  image: string;
  /** Builds it unless the engine has it; its tag names what it is made of. */
  build(engine: ImageEngine): Promise<void>;
}

export async function localBaseImage(): Promise<BaseImage> {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(delimiter);
  const found = tools.flatMap((tool) => {
    const file = path.map((dir) => join(dir, tool)).find(existsSync);
    return file ? [[tool, file] as const] : [];
  });
  const libraries = await sharedLibraries([node, ...found.map(([, file]) => file)]);
  return baseImage([
    ['usr/bin/node', node],
    ...found.map(([tool, file]) => [`usr/bin/${tool}`, file] as const),
    ...libraries.map((library) => [library, library] as const),
  ]);
}

/** Of files, by their paths in it; for another platform than the machine's where one is given. */
export async function baseImage(
  files: readonly (readonly [path: string, source: string])[],
  platform?: string,
): Promise<BaseImage> {
  const hash = createHash('sha256').update(await readFile(import.meta.filename));
  for (const [, source] of files) {
    const { size, mtimeMs } = await stat(source);
    hash.update(`${source} ${size} ${mtimeMs}\n`);
  }

  const image = `docker.io/library/jvs-node-base:${hash.digest('hex').slice(0, 16)}`;
  return {
    image,
    async build(engine) {
      if (await engine.has(image)) return;
      const context = await mkdtemp(join(tmpdir(), 'jvs-base-'));
      const root = join(context, 'root');
      try {
        await mkdir(join(root, 'usr/bin'), { recursive: true });
        await symlink('usr/bin', join(root, 'bin'));
        for (const [path, source] of files) {
          await mkdir(join(root, dirname(path)), { recursive: true });
          await copyFile(realpathSync(source), join(root, path));
        }
        await mkdir(join(root, 'etc'));
        await mkdir(join(root, 'tmp'), { mode: 0o1777 });
        await writeFile(
          join(root, 'etc/passwd'),
          'root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/tmp:/bin/sh\n',
        );
        await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
        const dockerfile = join(context, 'Dockerfile');
        await writeFile(dockerfile, 'FROM scratch\nCOPY root /\nENV PATH=/usr/bin\n');
        await engine.build({ image, dockerfile, context, platform });
      } finally {
        await rm(context, { recursive: true, force: true });
      }
    },
  };
}

/** The libraries that the programs load, by the paths at which they look for them. */
async function sharedLibraries(programs: readonly string[]): Promise<string[]> {
  const listings = await Promise.all(
    // A static program is not an error of ours: ldd exits non-zero for it.
    programs.map((program) => output('ldd', [realpathSync(program)]).catch(() => '')),
  );
  return [...new Set(listings.join('\n').match(/(?<=\s)\/\S+(?= \(0x)/g) ?? [])].sort();
}
