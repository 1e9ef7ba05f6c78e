import { closeSync } from 'node:fs';
import { type Compression, RepositoryError } from '../repository.ts';
import { type Compressed, codecOf, compressContent } from './compression.ts';
import type { Meter } from './control.ts';
import { NAME_BYTES } from './fs/at.ts';
import {
  type Directory,
  metadataOf,
  OpenFile,
  openPath,
  replaceMetadata,
  setGivenMetadata,
} from './fs/directory.ts';

/**
 * Replaces every file of an unpublished copy by its compressed form, with the same mode, owner and times. Other
 * names of the files, in published snapshots, keep their content.
 */
export function compressTree(root: Directory, compression: Compression, meter: Meter): Compressed {
  const { suffix } = codecOf(compression.type);
  const links = new Map<number | bigint, string[]>();
  const sum: Compressed = { written: 0, restored: 0 };

  const replace = (directory: Directory, path: string[], name: string): void => {
    const stored = name + suffix;
    if (stored.length > NAME_BYTES) {
      throw new RepositoryError(
        'InvalidArgument',
        `${Buffer.from([...path, name].join('/'), 'latin1')}: its name is too long for a compressed snapshot, ` +
          `which adds ${suffix}: shorten it, or do not compress`,
      );
    }
    if (directory.lstat(stored)) {
      const taken = Buffer.from([...path, stored].join('/'), 'latin1');
      throw new RepositoryError(
        'InvalidArgument',
        `${taken}: a compressed snapshot stores the file beside it, which is named so without ${suffix}, by that name: ` +
          'rename one of the two, or do not compress',
      );
    }
    using from = new OpenFile(directory, name);
    const entry = from.stat();
    const inode = directory.inode(name, entry);
    const first = links.get(inode);
    if (first) {
      using other = openPath(root, first.slice(0, -1));
      directory.link(other, first.at(-1) ?? '', stored);
    } else {
      const to = directory.createFile(stored);
      try {
        const { written, restored } = compressContent(from.fd, to, compression, (n) => meter.add(n, 0));
        sum.written += written;
        sum.restored += restored;
        // What its directory hands down it has by now.
        replaceMetadata(to, metadataOf(from.fd, entry));
      } finally {
        closeSync(to);
      }
      if (entry.nlink > 1) links.set(inode, [...path, stored]);
    }
    directory.unlink(name);
  };

  const walk = (directory: Directory, path: string[]): void => {
    const before = metadataOf(directory.fd);
    // Made writable for the change; its times are those of the payload afterwards.
    if (path.length > 0) directory.setMode(0o700);
    // Long names first: where `a` and `a.gz` are, `a.gz` has its new name before `a` takes the old one.
    for (const name of directory.names().sort((a, b) => b.length - a.length)) {
      const entry = directory.lstat(name);
      if (entry?.kind === 'file') replace(directory, path, name);
      if (entry?.kind !== 'dir') continue;
      using below = directory.openDirectory(name);
      walk(below, [...path, name]);
    }
    if (path.length > 0) setGivenMetadata(directory.fd, before);
    meter.add(0, 1);
  };
  walk(root, []);
  return sum;
}
