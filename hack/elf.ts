// What the loader reads of a program or library: 64-bit, little-endian ELF, as on both platforms of the images.

export interface Elf {
  /** 62 for x86-64, 183 for AArch64. */
  machine: number;
  /** Path of the loader; libraries have none. */
  interpreter?: string;
  /** Names of the libraries that it needs. */
  needed: string[];
}

interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
}

const types = { load: 1, dynamic: 2, interpreter: 3 };
const tags = { end: 0, needed: 1, strings: 5 };

/** undefined where it is something else, such as a script. */
export function readElf(file: Buffer): Elf | undefined {
  if (file.length < 64 || file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
  const segments = segmentsOf(file);
  const interpreter = segments.find(({ type }) => type === types.interpreter);
  return {
    machine: file.readUInt16LE(18),
    ...(interpreter && { interpreter: text(file, interpreter.offset) }),
    needed: neededBy(file, segments),
  };
}

function segmentsOf(file: Buffer): Segment[] {
  const [start, size, count] = [number(file, 32), file.readUInt16LE(54), file.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * size;
    return {
      type: file.readUInt32LE(at),
      offset: number(file, at + 8),
      address: number(file, at + 16),
      size: number(file, at + 32),
    };
  });
}

function neededBy(file: Buffer, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === types.dynamic);
  if (!dynamic) return []; // static
  const names: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const [tag, value] = [number(file, at), number(file, at + 8)];
    if (tag === tags.end) break;
    if (tag === tags.needed) names.push(value);
    if (tag === tags.strings) strings = offsetOf(value, segments);
  }
  return names.map((name) => text(file, strings + name));
}

/** Where in the file that is which will be at the address. */
function offsetOf(address: number, segments: readonly Segment[]): number {
  const segment = segments.find(
    (one) => one.type === types.load && one.address <= address && address < one.address + one.size,
  );
  if (!segment) throw new Error('its strings are in no segment');
  return address - segment.address + segment.offset;
}

const number = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));
const text = (file: Buffer, at: number): string => file.toString('utf8', at, file.indexOf(0, at));
