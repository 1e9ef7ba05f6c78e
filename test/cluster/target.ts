// Where the demo and the e2e tests run: this checkout's own cluster, or one that is there.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuiltImage, buildImages, loadImages, type Part, pushImages } from '../../hack/images.ts';
import { enter, up } from './lifecycle.ts';
import { output } from './process.ts';
import { step } from './progress.ts';

export interface TargetOptions {
  /** A context of the user's kubeconfig; needs `registry`, from which that cluster pulls. */
  context?: string;
  registry?: string;
  /** A kind cluster named `jvs`, made if need be. */
  kind?: boolean;
}

export interface Target {
  /** The node's side of it (test/cluster/cluster.ts) is in reach: volumes, API server, pids. */
  own: boolean;
  /** Image names for manifests. */
  images: Record<Part, string>;
  /** By part; changes with the image's content where the name does not. */
  keys: Record<Part, string>;
  /** Starts a command with KUBECONFIG set, where the cluster's API server is reached. */
  start(command: readonly string[]): Promise<ChildProcess>;
}

/** Brings the cluster up, builds the images and gives them to it. */
export async function openTarget(options: TargetOptions = {}): Promise<Target> {
  if (options.context && !options.registry) {
    throw new Error('--context needs --registry HOST/PATH, from which that cluster can pull the images.');
  }
  if (!options.context && !options.kind) await up();
  const built = await step('images', () => buildImages());
  const keys = { operator: built.operator.key, agent: built.agent.key };
  const images = { operator: built.operator.name, agent: built.agent.name };

  if (options.context && options.registry) {
    const kubeconfig = await output('kubectl', [
      'config',
      'view',
      '--minify',
      '--flatten',
      `--context=${options.context}`,
    ]);
    const pushed = await pushImages(built, options.registry);
    return { own: false, images: pushed, keys, start: await startWith(kubeconfig) };
  }
  if (options.kind) return { own: false, images, keys, start: await startWith(await useKind(built)) };
  await step('images loaded', () => loadImages(built));
  return { own: true, images, keys, start: (command) => enter(command) };
}

const kindName = 'jvs';

/** Gives the images to the kind cluster and returns its kubeconfig. */
async function useKind(images: Record<Part, BuiltImage>): Promise<string> {
  const existing = (await output('kind', ['get', 'clusters'])).split('\n');
  if (!existing.includes(kindName)) {
    await step('create the kind cluster', () => output('kind', ['create', 'cluster', '--name', kindName]));
  }
  for (const { archive } of Object.values(images)) {
    await output('kind', ['load', 'image-archive', archive, '--name', kindName]);
  }
  return output('kind', ['get', 'kubeconfig', '--name', kindName]);
}

/** A kubeconfig of its own for each run: nothing is changed in the user's. */
async function startWith(kubeconfig: string): Promise<Target['start']> {
  const file = join(await mkdtemp(join(tmpdir(), 'jvs-target-')), 'kubeconfig');
  await writeFile(file, kubeconfig, { mode: 0o600 });
  return async ([program = '', ...args]) =>
    spawn(program, args, { stdio: 'inherit', env: { ...process.env, KUBECONFIG: file } });
}
