// What is in an archive of images (OCI image layout), without an engine.
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from './cluster/process.ts';

interface Descriptor {
  digest: string;
  platform?: { architecture: string; os: string };
}

export interface UnpackedImage {
  platform: { architecture: string; os: string };
  config: { architecture: string; config: { Entrypoint: string[]; Env: string[] } };
  /** A directory with the image's files. */
  root: string;
}

/** The image of each platform of the only one in `archive`, in new directories of `scratch`. */
export async function unpackImages(archive: string, scratch: string): Promise<UnpackedImage[]> {
  const layout = await mkdtemp(join(scratch, 'layout-'));
  await output('tar', ['--extract', '--file', archive, '--directory', layout]);
  const blob = ({ digest }: Descriptor) => join(layout, 'blobs', digest.replace(':', '/'));
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const index = await read(join(layout, 'index.json'));
  const list = await read(blob(index.manifests[0]));
  return Promise.all(
    list.manifests.map(async (one: Descriptor) => {
      const { config, layers } = await read(blob(one));
      const root = await mkdtemp(join(scratch, 'root-'));
      for (const layer of layers)
        await output('tar', ['--extract', '--file', blob(layer), '--directory', root, '--no-same-owner']);
      return { platform: one.platform, config: await read(blob(config)), root };
    }),
  );
}
