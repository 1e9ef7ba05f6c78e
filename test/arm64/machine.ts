// Programs of an unpacked image of another architecture, run by QEMU. The kernel hands them to it in a user namespace of
// their own (binfmt_misc), so that nothing is registered on the machine, and their children as well.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { ensurePackage } from '../../agent/repository/testing/filesystem.ts';
import { collect, spawnBound } from '../cluster/process.ts';
import type { UnpackedImage } from '../oci-archive.ts';

const emulator = 'qemu-aarch64-static';

/** 64-bit ELF, little-endian, a program of AArch64; its file is opened once, outside (F). */
const format = [
  ':aarch64:M:',
  String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
  String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`,
  `/usr/bin/${emulator}`,
  'F',
].join(':');

export class EmulatedMachine {
  readonly #image: UnpackedImage;
  readonly #mounts: readonly [string, string][];

  /** `mounts`: directories of this machine, by where they are in the image. */
  constructor(image: UnpackedImage, mounts: Record<string, string> = {}) {
    const [major = 0, minor = 0] = release().split('.').map(Number);
    if (major < 6 || (major === 6 && minor < 7))
      throw new Error(`Linux ${release()} has no binfmt_misc in user namespaces: this needs 6.7 or newer`);
    ensurePackage(emulator, 'qemu-user-static');
    this.#image = image;
    this.#mounts = Object.entries(mounts);
    for (const place of ['proc', 'dev', 'tmp', ...Object.keys(mounts)])
      mkdirSync(join(image.root, place), { recursive: true });
    // As a container's runtime does.
    writeFileSync(join(image.root, 'etc/hosts'), '127.0.0.1 localhost\n');
  }

  /** The image's entrypoint with further arguments and variables; ends with this process. */
  start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    return this.#spawn([...this.#image.config.config.Entrypoint, ...args], environment, [
      'ignore',
      'ignore',
      'inherit',
    ]);
  }

  /** What a program of the image prints; rejects with what it says on stderr when it fails. */
  output(...command: string[]): Promise<string> {
    return collect(this.#spawn(command, {}, ['ignore', 'pipe', 'pipe']), command.join(' '));
  }

  #spawn(command: readonly string[], environment: Record<string, string>, stdio: StdioOptions) {
    const { root, config } = this.#image;
    const binds = this.#mounts.map(([place, directory]) => `mount --bind '${directory}' '${root}${place}'`);
    const setUp = [
      'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc',
      `printf %s '${format}' > /proc/sys/fs/binfmt_misc/register`,
      `mount -t proc proc '${root}/proc'`,
      `mount --rbind /dev '${root}/dev'`,
      `mount -t tmpfs tmpfs '${root}/tmp'`,
      ...binds,
      `exec chroot '${root}' "$@"`,
    ].join(' && ');
    const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child'];
    const variables = Object.fromEntries(config.config.Env.map((pair) => pair.split(/=(.*)/s, 2)));
    return spawnBound('unshare', [...namespaces, 'sh', '-c', setUp, 'sh', ...command], {
      // What sets it up is this machine's.
      env: { ...variables, ...environment, PATH: `${variables.PATH}:/usr/sbin:/sbin` },
      stdio,
    });
  }
}
