// The timeline: snapshots in columns, one for each branch, a parent below its children. Pure.

export interface GraphNode {
  id: string;
  /** Of another node, or of one that is not shown. */
  parent?: string | undefined;
}

export interface GraphRow<T> {
  /** `│ ● │`, as wide as it has to be. */
  graph: string;
  /** None in a row that only joins branches. */
  node?: T;
}

/**
 * Every node once, the newest first as far as every parent can stand below its children; ids begin with their time.
 * What descends from itself is shown all the same.
 */
export function timeline<T extends GraphNode>(nodes: readonly T[]): T[] {
  const left = new Map(nodes.map((node) => [node.id, node]));
  const children = new Map<string, number>();
  for (const { id, parent } of left.values()) {
    if (parent && parent !== id) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  const ready = new Set([...left.keys()].filter((id) => !children.get(id)));
  const ordered: T[] = [];
  while (left.size > 0) {
    const id = newest(ready.size > 0 ? ready : left.keys());
    ready.delete(id);
    const node = left.get(id);
    left.delete(id);
    if (!node) continue;
    ordered.push(node);
    const { parent } = node;
    if (!parent || parent === id) continue;
    const more = (children.get(parent) ?? 0) - 1;
    children.set(parent, more);
    if (more === 0 && left.has(parent)) ready.add(parent);
  }
  return ordered;
}

function newest(ids: Iterable<string>): string {
  let found = '';
  for (const id of ids) if (id > found) found = id;
  return found;
}

/** Draws what `timeline` has ordered. */
export function drawGraph<T extends GraphNode>(nodes: readonly T[]): GraphRow<T>[] {
  const place = new Map(nodes.map(({ id }, index) => [id, index]));
  const rows: GraphRow<T>[] = [];
  /** For each column, the parent that it goes down to. */
  const columns: (string | undefined)[] = [];
  let endedAbove = -1;
  for (const [index, node] of nodes.entries()) {
    const mine = columns.flatMap((awaited, column) => (awaited === node.id ? [column] : []));
    const [column = freeColumn(columns, endedAbove)] = mine;
    if (mine.length > 1) {
      rows.push({ graph: joinRow(columns, mine) });
      for (const other of mine.slice(1)) columns[other] = undefined;
    }
    columns[column] = node.id;
    rows.push({
      graph: columns
        .map((id, at) => (at === column ? '●' : id ? '│' : ' '))
        .join(' ')
        .trimEnd(),
      node,
    });
    const below = node.parent !== undefined && (place.get(node.parent) ?? -1) > index;
    columns[column] = below ? node.parent : undefined;
    endedAbove = below ? -1 : column;
  }
  return rows;
}

/** Not the one whose branch has just ended: the two would look like parent and child. */
function freeColumn(columns: readonly (string | undefined)[], endedAbove: number): number {
  const free = columns.findIndex((awaited, column) => awaited === undefined && column !== endedAbove);
  return free < 0 ? columns.length : free;
}

/** `├─┴─│─╯ │`: the columns `mine` become the first of them. */
function joinRow(columns: readonly (string | undefined)[], mine: readonly number[]): string {
  const [first = 0] = mine;
  const last = mine.at(-1) ?? first;
  const cells = columns.map((awaited, column) => {
    if (column === first) return '├';
    if (column === last) return '╯';
    if (mine.includes(column)) return '┴';
    if (awaited) return '│';
    return column > first && column < last ? '─' : ' ';
  });
  return cells
    .map((cell, column) => cell + (column >= first && column < last ? '─' : ' '))
    .join('')
    .trimEnd();
}
