// node hack/images.ts [--push REGISTRY] [--tag TAG] [--platform LIST]: the operator's and the agent's image, and where
// this checkout's cluster is up, into it; for other platforms than the machine's, into an archive.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { version } from '../shared/version.ts';
import { localBaseImage } from '../test/cluster/base-image.ts';
import { findEngine, findPlatformEngine } from '../test/cluster/engine.ts';
import { status } from '../test/cluster/lifecycle.ts';
import { loadImage } from '../test/cluster/load.ts';
import { withLock } from '../test/cluster/lock.ts';
import { cacheRoot, checkout, clusterId } from '../test/cluster/paths.ts';
import { output } from '../test/cluster/process.ts';
import { say, step } from '../test/cluster/progress.ts';
import { debianBaseImage } from './debian-base.ts';

export const parts = ['operator', 'agent'] as const;
export type Part = (typeof parts)[number];

export interface BuiltImage {
  /** Name in manifests: jvs-operator:dev. */
  name: string;
  /** The same in full, as containerd sees it. */
  image: string;
  /** An archive that containerd, docker and kind load. */
  archive: string;
  /** Names the content: another key is another image under the same name, and pods must be replaced. */
  key: string;
}

export interface ImageOptions {
  tag?: string;
  /** Holds operator/ and agent/, compiled already; without it the sources are compiled first. */
  dist?: string;
}

/** Builds both images; one whose inputs have not changed is taken as it is. */
export async function buildImages(options: ImageOptions = {}): Promise<Record<Part, BuiltImage>> {
  const dist = options.dist ?? join(checkout, 'dist');
  if (!options.dist) await output(process.execPath, [join(checkout, 'hack/build.ts')], { cwd: checkout });
  // The store of images is shared by checkouts: nobody else may take a name between build and save.
  return withLock(join(cacheRoot, 'images/build.lock'), async () => ({
    operator: await buildImage('operator', dist, options.tag ?? 'dev'),
    agent: await buildImage('agent', dist, options.tag ?? 'dev'),
  }));
}

async function buildImage(part: Part, dist: string, tag: string): Promise<BuiltImage> {
  const name = `jvs-${part}:${tag}`;
  const image = `docker.io/library/${name}`;
  const archive = join(cacheRoot, 'images', clusterId, `jvs-${part}-${tag}.tar`);
  const dockerfile = join(checkout, `Dockerfile.${part}`);
  const stage = join(dist, part);
  if (!existsSync(join(stage, 'main.js'))) throw new Error(`${stage}/main.js is missing: npm run build`);
  const engine = await findEngine();
  // An engine with a daemon is a machine with a registry in reach, where the Dockerfile's own base is better.
  const base = engine.name === 'buildah' ? await localBaseImage() : undefined;
  // Without a revision: a commit that changes nothing in the image makes no new one.
  const args: Record<string, string> = { VERSION: version, ...(base && { BASE: base.image }) };
  const key = await contentKey(
    [engine.name, JSON.stringify(args), await readFile(dockerfile, 'utf8')],
    stage,
  );
  const result = { name, image, archive, key };

  const recorded = await readFile(`${archive}.key`, 'utf8').catch(() => '');
  if (recorded === key && existsSync(archive)) return result;
  await step(`build ${name} (${engine.name})`, async () => {
    if (base) await base.build(engine);
    await inEmptyContext((context) =>
      engine.build({ image, dockerfile, context, args, stages: { dist: stage } }),
    );
    await rm(`${archive}.key`, { force: true });
    await engine.save(image, archive);
    await writeFile(`${archive}.key`, key);
  });
  return result;
}

async function inEmptyContext<T>(work: (context: string) => Promise<T>): Promise<T> {
  const context = await mkdtemp(join(tmpdir(), 'jvs-context-'));
  try {
    return await work(context);
  } finally {
    await rm(context, { recursive: true });
  }
}

async function contentKey(inputs: readonly string[], dir: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(inputs));
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file.slice(dir.length)).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Builds both images for each of the platforms, without running anything of them, and puts those of all platforms under
 * one name: in OCI archives, or in the registry `push`. Returns where they are.
 */
export async function buildForPlatforms(
  platforms: readonly string[],
  { dist, tag = 'dev', push }: ImageOptions & { push?: string },
): Promise<string[]> {
  const engine = await findPlatformEngine();
  if (!dist) await output(process.execPath, [join(checkout, 'hack/build.ts')], { cwd: checkout });
  const stages = dist ?? join(checkout, 'dist');
  const places: string[] = [];
  await withLock(join(cacheRoot, 'images/build.lock'), async () => {
    const bases = new Map<string, string>();
    for (const platform of platforms) {
      const base = await step(`files for ${platform}`, () => debianBaseImage(platform));
      await base.build(engine);
      bases.set(platform, base.image);
    }
    for (const part of parts) {
      const images: string[] = [];
      for (const [platform, base] of bases) {
        const image = `docker.io/library/jvs-${part}:${tag}-${platform.replaceAll('/', '-')}`;
        await step(`build jvs-${part}:${tag} for ${platform}`, () =>
          inEmptyContext((context) =>
            engine.build({
              ...{ image, context, platform, dockerfile: join(checkout, `Dockerfile.${part}`) },
              args: { VERSION: version, BASE: base },
              stages: { dist: join(stages, part) },
            }),
          ),
        );
        images.push(image);
      }
      const archive = join(cacheRoot, 'images', clusterId, `jvs-${part}-${tag}.oci.tar`);
      const place = push ? `${push}/jvs-${part}:${tag}` : archive;
      if (!push) {
        await mkdir(dirname(archive), { recursive: true });
        await rm(archive, { force: true });
      }
      await engine.publish(images, push ? `docker://${place}` : `oci-archive:${archive}:${tag}`);
      places.push(place);
    }
  });
  return places;
}

/** Loads built images into this checkout's running cluster. */
export async function loadImages(images: Record<Part, BuiltImage>): Promise<void> {
  for (const { image, archive, key } of Object.values(images)) await loadImage(image, archive, key);
}

/** Pushes built images to `registry` (host/path) and gives their names there. */
export async function pushImages(
  images: Record<Part, BuiltImage>,
  registry: string,
): Promise<Record<Part, string>> {
  const engine = await findEngine();
  const push = async ({ image, name }: BuiltImage) => {
    const destination = `${registry}/${name}`;
    await step(`push ${destination}`, () => engine.push(image, destination));
    return destination;
  };
  return { operator: await push(images.operator), agent: await push(images.agent) };
}

if (import.meta.main) {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { push: text, tag: text, dist: text, platform: text } });
  if (values.platform) {
    for (const place of await buildForPlatforms(values.platform.split(','), values)) say(place);
  } else {
    const images = await buildImages(values);
    for (const { name, archive, key } of Object.values(images)) say(`${name} (${key}): ${archive}`);
    if (values.push) await pushImages(images, values.push);
    if (await status()) await step('load into the cluster', () => loadImages(images));
  }
}
