import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENTRY_TYPES, type EntryType, entryLine, PayloadHash, walkKey } from './payload.ts';

interface Node {
  type: EntryType;
  mode: number;
  hash: string;
  size: number;
  children: Map<string, Node>;
}

// Few characters, of which those around ':' and '/' matter, so that names often extend each other.
const name = fc
  .array(fc.constantFrom('a', ':', '.', '0', '9', 'm', ',', ':mode=0644', '\xff', '-'), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join(''))
  .filter((n) => n !== '.' && n !== '..');

const { tree } = fc.letrec<{ tree: Map<string, Node>; node: Node }>((tie) => ({
  tree: fc
    .array(fc.tuple(name, tie('node')), { maxLength: 8 })
    .map((entries) => new Map(entries as [string, Node][])),
  node: fc.record({
    type: fc.constantFrom<EntryType>('dir', 'file', 'file', 'symlink'),
    mode: fc.constantFrom(0o644, 0o755),
    hash: fc.constantFrom('0', '9', 'a', 'f', '5:mode'),
    size: fc.nat(12),
    children: fc.oneof({ maxDepth: 3 }, fc.constant(new Map()), tie('tree')),
  }) as fc.Arbitrary<Node>,
}));

function walk(nodes: Map<string, Node>, prefix: string, visit: (path: string, node: Node) => void): void {
  const entries = [...nodes].map(([n, node]) => ({ n, node, key: walkKey(n, node.type === 'dir') }));
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { n, node } of entries) {
    visit(prefix + n, node);
    if (node.type === 'dir') walk(node.children, `${prefix + n}/`, visit);
  }
}

test('streaming the lines in walk order gives the hash of all lines sorted', () => {
  fc.assert(
    fc.property(tree, (root) => {
      const lines: string[] = [];
      const streamed = new PayloadHash();
      for (const type of ENTRY_TYPES) {
        walk(root, '', (path, node) => {
          if (node.type !== type) return;
          const size = type === 'file' ? node.size : undefined;
          lines.push(`${entryLine(type, path, node.mode, node.hash, size)}\n`);
          streamed.add(type, path, node.mode, node.hash, size);
        });
      }
      const sorted = createHash('sha256').update(lines.sort().join(''), 'latin1').digest('hex');
      expect(streamed.digest()).toBe(sorted);
    }),
    { numRuns: 3000 },
  );
});
