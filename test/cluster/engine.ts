import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheRoot } from './paths.ts';
import { output } from './process.ts';

/** A program that builds container images. */
export interface ImageEngine {
  name: string;
  build(build: ImageBuild): Promise<void>;
  has(image: string): Promise<boolean>;
  /** Writes a built image to an archive that `ctr images import` takes. */
  save(image: string, archive: string): Promise<void>;
  push(image: string, destination: string): Promise<void>;
}

/** One whose store takes images of other platforms than the machine's. */
export interface PlatformEngine extends ImageEngine {
  /**
   * Puts images of several platforms under one name, at a destination with its transport: `oci-archive:FILE`,
   * `docker://HOST/NAME`.
   */
  publish(images: readonly string[], destination: string): Promise<void>;
}

export interface ImageBuild {
  /** Full name, as containerd sees it: docker.io/library/name:tag. */
  image: string;
  dockerfile: string;
  context: string;
  args?: Record<string, string>;
  /** Folders that stand in for stages of the Dockerfile, by stage. */
  stages?: Record<string, string>;
  /** linux/arm64, where it is not the machine's. Nothing of it is run. */
  platform?: string | undefined;
}

/** docker or podman where one answers, else buildah, which needs no daemon but root. */
export async function findEngine(): Promise<ImageEngine> {
  for (const name of ['docker', 'podman']) {
    if (await succeeds(output(name, ['version']))) return daemonEngine(name);
  }
  if (await succeeds(output('buildah', ['--version']))) return buildahEngine();
  throw new Error('Building images needs docker, podman, or (as root) buildah.');
}

/** buildah, whatever else is there. */
export async function findPlatformEngine(): Promise<PlatformEngine> {
  if (await succeeds(output('buildah', ['--version']))) return buildahEngine();
  throw new Error(
    'Building images for other platforms needs buildah as root; docs/release.md has the way with docker.',
  );
}

function buildArgs({ dockerfile, context, image, args = {}, stages = {}, platform }: ImageBuild): string[] {
  const pairs = (flag: string, map: Record<string, string>) =>
    Object.entries(map).flatMap(([key, value]) => [flag, `${key}=${value}`]);
  const options = [
    ...pairs('--build-arg', args),
    ...pairs('--build-context', stages),
    ...(platform ? ['--platform', platform] : []),
  ];
  return ['build', '--tag', image, '--file', dockerfile, ...options, context];
}

function daemonEngine(name: string): ImageEngine {
  return {
    name,
    async build(build) {
      await output(name, buildArgs(build), { env: { ...process.env, DOCKER_BUILDKIT: '1' } });
    },
    has: (image) => succeeds(output(name, ['image', 'inspect', image])),
    save: (image, archive) => replacing(archive, (file) => output(name, ['save', '--output', file, image])),
    async push(image, destination) {
      await output(name, ['tag', image, destination]);
      await output(name, ['push', destination]);
    },
  };
}

/** buildah with a store of its own in the cache; its mounts stay in a mount namespace that ends with it. */
async function buildahEngine(): Promise<PlatformEngine> {
  const root = join(cacheRoot, 'buildah');
  await mkdir(root, { recursive: true });
  // overlay does not stack on an overlay, as in a container.
  const driver = (await statfs(root)).type === 0x794c7630 ? 'vfs' : 'overlay';
  const store = ['--root', join(root, 'store'), '--runroot', join(root, 'run'), '--storage-driver', driver];
  const buildah = (args: readonly string[]) =>
    output('unshare', ['--mount', 'buildah', ...store, ...args], {
      env: { ...process.env, BUILDAH_ISOLATION: 'chroot' },
    });
  return {
    name: 'buildah',
    async build(build) {
      const [command = '', ...rest] = buildArgs(build);
      await buildah([command, '--pull=false', '--layers', ...rest]);
    },
    has: (image) => succeeds(buildah(['inspect', '--type', 'image', image])),
    // docker's format is never compressed: the file stays on this disk, and gzip takes longer than all else.
    save: (image, archive) =>
      replacing(archive, (file) => buildah(['push', image, `docker-archive:${file}:${image}`])),
    async push(image, destination) {
      await buildah(['push', image, `docker://${destination}`]);
    },
    async publish(images, destination) {
      const list = `jvs-list-${process.pid}`;
      await buildah(['manifest', 'create', list, ...images]);
      try {
        await buildah(['manifest', 'push', '--all', list, destination]);
      } finally {
        await buildah(['manifest', 'rm', list]);
      }
    },
  };
}

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

/** Writes a file under a temporary name first: what has the final name is whole. */
async function replacing(file: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  await rm(temporary, { force: true });
  await write(temporary);
  await rename(temporary, file);
}
