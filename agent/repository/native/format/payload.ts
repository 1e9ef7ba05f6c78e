// The payload root hash: SHA-256 over one line an entry, all lines sorted bytewise, so directories come
// first, then files, then symbolic links. Names are raw bytes, held as latin1 strings (one char a byte), so that
// `<` on strings is the format's order and names that are not UTF-8 survive.
import { createHash, type Hash } from 'node:crypto';

export const READY = '.READY';

export type EntryType = 'dir' | 'file' | 'symlink';

/** In the order of their lines. */
export const ENTRY_TYPES: readonly EntryType[] = ['dir', 'file', 'symlink'];

/**
 * Where an entry stands among its siblings, so that a walk in this order meets each type's lines almost sorted:
 * lines of a directory's entries continue with `/` after its name, every other line with `:`.
 */
export function walkKey(name: string, isDirectory: boolean): string {
  return isDirectory ? `${name}/` : `${name}:`;
}

/** What stands for the content of a directory, its base name, and of a link, its target. Names are latin1 strings. */
export function sha256(bytes: string | Buffer): Buffer {
  const hash = createHash('sha256');
  return (typeof bytes === 'string' ? hash.update(bytes, 'latin1') : hash.update(bytes)).digest();
}

/** `mode` with any higher bits; `hash` is hex; `size` is given for files. */
export function entryLine(type: EntryType, path: string, mode: number, hash: string, size?: number): string {
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  return `${type}:${path}:mode=${bits}${size === undefined ? '' : `,size=${size}`}:${hash}`;
}

/** Entries of this name are not hashed, at any depth; the children of a directory of this name are. */
export function isHashed(name: string): boolean {
  return name !== READY;
}

/**
 * Takes the lines of a walk in `walkKey` order, one type after another, and hashes them in byte order. A line
 * is held back while a smaller one can follow: a directory's behind those of the directories in it, any line
 * behind those of names that extend its own (`a`, `a:b`). Held are at most a few a level.
 */
export class PayloadHash {
  readonly #hash: Hash = createHash('sha256');
  readonly #held: string[] = [];
  #chunk = '';

  add(type: EntryType, path: string, mode: number, hash: string, size?: number): void {
    this.#release(`${type}:${path}`);
    const line = entryLine(type, path, mode, hash, size);
    const held = this.#held;
    let at = held.length;
    while (at > 0 && (held[at - 1] ?? '') >= line) at--;
    held.splice(at, 0, line);
  }

  digest(): string {
    this.#release(undefined);
    return this.#hash.update(this.#chunk, 'latin1').digest('hex');
  }

  /** Hashes the held lines before `next`; all lines to come are after it. All of them at the end. */
  #release(next: string | undefined): void {
    const held = this.#held;
    while (held[0] !== undefined && (next === undefined || held[0] < next))
      this.#chunk += `${held.shift()}\n`;
    if (this.#chunk.length > 65_536) {
      this.#hash.update(this.#chunk, 'latin1');
      this.#chunk = '';
    }
  }
}
