import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEngine } from './engine.ts';
import { withLock } from './lock.ts';
import { pauseImage } from './node-config.ts';
import { cacheRoot } from './paths.ts';
import { output } from './process.ts';
import { step } from './progress.ts';

/**
 * A small userland for tests' and samples' own containers, with a user 1000. Static, and so without glibc's
 * name resolution: nslookup works in it, names given to wget do not.
 */
export const busyboxImage = 'docker.io/library/busybox:dev';

const busybox = '/bin/busybox';

/** Makes the images that every node has, and gives the folder with their archives. */
export async function ensureNodeImages(bin: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [join(bin, 'pause'), busybox, import.meta.filename]) hash.update(await readFile(file));
  const dir = join(cacheRoot, 'images', hash.digest('hex').slice(0, 16));
  const [pauseArchive, busyboxArchive] = [join(dir, 'pause.tar'), join(dir, 'busybox.tar')];
  const complete = () => existsSync(pauseArchive) && existsSync(busyboxArchive);
  if (complete()) return dir;
  await withLock(`${dir}.lock`, async () => {
    if (complete()) return;
    await step('build the images pause and busybox', async () => {
      await build(pauseImage, pauseArchive, async (context) => {
        await copyFile(join(bin, 'pause'), join(context, 'pause'));
        return 'FROM scratch\nCOPY pause /pause\nUSER 65535\nENTRYPOINT ["/pause"]\n';
      });
      await build(busyboxImage, busyboxArchive, async (context) => {
        await busyboxRoot(join(context, 'root'));
        return 'FROM scratch\nCOPY root /\nENV PATH=/bin\nCMD ["sh"]\n';
      });
    });
  });
  return dir;
}

async function build(
  image: string,
  archive: string,
  fill: (context: string) => Promise<string>,
): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'jvs-image-'));
  try {
    const dockerfile = join(context, 'Dockerfile');
    await writeFile(dockerfile, await fill(context));
    const engine = await findEngine();
    await engine.build({ image, dockerfile, context });
    await engine.save(image, archive);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

async function busyboxRoot(root: string): Promise<void> {
  for (const dir of ['bin', 'etc', 'tmp', 'home/user']) await mkdir(join(root, dir), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  await chmod(join(root, 'home/user'), 0o777);
  await copyFile(busybox, join(root, 'bin/busybox'));
  for (const applet of (await output(busybox, ['--list'])).split('\n')) {
    if (applet && applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet));
  }
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nuser:x:1000:\n');
}
