// A clock for agents that goes wrong when it is told to, while the machine's stays right: libfaketime, by a mount, for
// the image is as it is released.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ensurePackage } from '../../../../agent/repository/testing/filesystem.ts';
import { output } from '../../../cluster/process.ts';

/** Installs what is missing; to be called where there is a network, which inside the cluster there is not. */
export const ensureFakeClock = (): void => ensurePackage('faketime', 'faketime');

export class FakeClock {
  /** Holds the library and the offset, on the node. */
  readonly #folder: string;
  readonly library: string;

  private constructor(folder: string, library: string) {
    this.#folder = folder;
    this.library = library;
  }

  /** Right until it is set. */
  static async in(folder: string): Promise<FakeClock> {
    await mkdir(folder);
    const files = (await output('dpkg', ['--listfiles', 'libfaketime'])).split('\n');
    const library = files.find((file) => file.endsWith('/libfaketimeMT.so.1'));
    if (!library) throw new Error('package libfaketime has no libfaketimeMT.so.1');
    await copyFile(library, join(folder, basename(library)));
    const clock = new FakeClock(folder, basename(library));
    await clock.set(0);
    return clock;
  }

  /** So many seconds off, within a second or two. */
  set(offset: number): Promise<void> {
    return writeFile(join(this.#folder, 'offset'), `${offset < 0 ? '' : '+'}${offset}\n`);
  }

  /** An agent that goes by it, for the containers of a template, and the volume it needs. */
  get agent(): { container: object; volume: object } {
    const at = '/clock';
    const env = {
      LD_PRELOAD: join(at, this.library),
      FAKETIME_TIMESTAMP_FILE: join(at, 'offset'),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DISABLE_SHM: '1',
      // Only what people set: no span is measured wrongly, and no file's time.
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    return {
      container: {
        name: 'jvs-agent',
        image: 'jvs-agent',
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        volumeMounts: [{ name: 'clock', mountPath: at, readOnly: true }],
      },
      volume: { name: 'clock', hostPath: { path: this.#folder, type: 'Directory' } },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
