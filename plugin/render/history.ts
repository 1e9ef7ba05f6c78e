// The timeline as a table: what a snapshot is, what it costs, what stands at it, and why it is kept. Pure.
import { type HistoryEntry, marksOf } from '../history.ts';
import type { Worktree } from '../objects.ts';
import { drawGraph } from './graph.ts';
import { type Cell, printable, type Span } from './table.ts';
import { formatAge, formatBytes } from './units.ts';

/** Titles and rows of what `timeline` has ordered. */
export function historyTable(
  snapshots: readonly HistoryEntry[],
  worktrees: readonly Worktree[],
  { now, wide }: { now: Date; wide: boolean },
): [titles: string[], rows: Cell[][]] {
  const marks = marksOf(worktrees);
  return [
    [
      '',
      'SNAPSHOT',
      'AGE',
      'SIZE',
      'NEW',
      'ORIGIN',
      ...(wide ? ['WORKTREE', 'PARENT', 'CONSISTENCY'] : []),
      'WHAT',
    ],
    drawGraph(snapshots).map(({ graph, node }): Cell[] => {
      if (!node) return [graph];
      return [
        graph,
        node.id,
        formatAge(node.createdAt, now),
        formatBytes(node.size),
        `+${formatBytes(node.uniqueBytes)}`,
        node.origin,
        ...(wide ? [node.worktree, node.parent, node.consistency] : []),
        what(node, marks.get(node.id) ?? []),
      ];
    }),
  ];
}

/** (main) before-tuning "Before tuning" #experiment; kept: pinned */
function what(entry: HistoryEntry, marks: readonly string[]): (string | Span)[] {
  const { id, name, note, tags, damaged, keepReasons } = entry;
  const [firstLine = ''] = note.split('\n');
  const parts: Span[] = [
    ...(damaged ? [{ text: 'DAMAGED', style: 'red' as const }] : []),
    ...(marks.length > 0 ? [{ text: `(${marks.join(', ')})`, style: 'green' as const }] : []),
    // Those that the operator named say nothing more.
    ...(name && !name.endsWith(id) ? [{ text: name, style: 'bold' as const }] : []),
    ...(firstLine ? [{ text: `"${firstLine}"`, style: 'reset' as const }] : []),
    ...tags.map((tag) => ({ text: `#${tag}`, style: 'cyan' as const })),
    ...(keepReasons.length > 0 ? [{ text: `kept: ${keepReasons.join('; ')}`, style: 'dim' as const }] : []),
  ];
  return parts.flatMap(({ text, style }, index) => [
    ...(index > 0 ? [' '] : []),
    { text: printable(text), style },
  ]);
}
