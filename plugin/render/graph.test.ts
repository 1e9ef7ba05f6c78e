import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawGraph, type GraphNode, timeline } from './graph.ts';

/** `child>parent`, or a node alone. */
const nodes = (text: string): GraphNode[] =>
  text.split(' ').map((edge) => {
    const [id = '', parent] = edge.split('>');
    return { id, parent };
  });
const draw = (text: string) =>
  drawGraph(timeline(nodes(text))).map(({ graph, node }) => `${graph}${node ? ` ${node.id}` : ''}`);

test('a line', () => {
  expect(draw('1 2>1 3>2')).toEqual(['● 3', '● 2', '● 1']);
});

test('branches join at their common parent', () => {
  expect(draw('1 2>1 3>2 4>1 5>1 6>4')).toEqual([
    '● 6',
    '│ ● 5',
    '● │ 4',
    '│ │ ● 3',
    '│ │ ● 2',
    '├─┴─╯',
    '● 1',
  ]);
});

test('a branch that goes on is crossed', () => {
  expect(draw('1 2 3>2 4>1 5>2')).toEqual(['● 5', '│ ● 4', '│ │ ● 3', '├─│─╯', '● │ 2', '  ● 1']);
});

test('what has no parent here ends, and does not look like a child of the next', () => {
  expect(draw('1 2>gone 3')).toEqual(['● 3', '  ● 2', '● 1']);
});

test('parents are below children whatever the clock said; a circle is shown', () => {
  expect(draw('3 2>3 1>2')).toEqual(['● 1', '● 2', '● 3']);
  expect(timeline(nodes('1>2 2>1 3>3')).map(({ id }) => id)).toEqual(['3', '2', '1']);
});

test('nothing is nothing', () => {
  expect(drawGraph(timeline([]))).toEqual([]);
});

/** Follows the lines down from each node, as a reader does: what it leads to. */
function read(rows: ReturnType<typeof drawGraph>): Map<string, string | undefined> {
  const grid = rows.map(({ graph }) => [...graph]);
  const found = new Map<string, string | undefined>();
  for (const [start, { node }] of rows.entries()) {
    if (!node) continue;
    let at = grid[start]?.indexOf('●') ?? -1;
    let parent: string | undefined;
    for (let row = start + 1; row < rows.length; row++) {
      const cell = grid[row]?.[at] ?? ' ';
      if (cell === '●') parent = rows[row]?.node?.id;
      if (cell === '●' || cell === ' ') break;
      if (cell === '╯' || cell === '┴') while (grid[row]?.[at] !== '├') at--;
    }
    found.set(node.id, parent);
  }
  return found;
}

test('every snapshot once, parents below children, and the lines lead to the parents and nowhere else', () => {
  const forests = fc.array(
    fc.record({ id: fc.integer({ min: 0, max: 40 }), parent: fc.option(fc.integer({ min: 0, max: 45 })) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(forests, (edges) => {
      const id = (n: number) => String(n).padStart(2, '0');
      const given = new Map(
        // A parent may be younger than its child by the clock, but nothing descends from itself.
        edges.map(({ id: n, parent }) => [
          id(n),
          parent === null || (parent * 7) % 46 >= (n * 7) % 46 ? undefined : id(parent),
        ]),
      );
      const ordered = timeline([...given].map(([id, parent]) => ({ id, parent })));
      const rows = drawGraph(ordered);
      const shown = rows.flatMap(({ node }) => (node ? [node.id] : []));
      expect(shown.toSorted()).toEqual([...given.keys()].toSorted());
      expect(read(rows)).toEqual(
        new Map(ordered.map(({ id, parent }) => [id, parent && given.has(parent) ? parent : undefined])),
      );
    }),
    { numRuns: 500 },
  );
});
