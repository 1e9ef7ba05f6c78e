// Columns of text for a terminal. Pure.
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** A piece of a line. Its text is shown as it is: `printable` makes it fit to be. */
export interface Span {
  text: string;
  style: Style;
}

/** A cell: text, or pieces that stand together. */
export type Cell = string | undefined | readonly (string | Span)[];

export interface TableOptions {
  colours: boolean;
  /** Lines are cut off there; not at all where absent. */
  width?: number | undefined;
}

/** Lines of cells below their titles; the last column may be of any width. A column of which all is empty is left out; without rows, all is. */
export function renderTable(
  titles: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): string {
  if (rows.length === 0) return '';
  const used = titles.map((_, column) => rows.some((row) => widthOf(row[column]) > 0));
  const kept = <T>(row: readonly T[]) => row.filter((_, column) => used[column]);
  const lines: (readonly Cell[])[] = [
    kept(titles),
    ...rows.map((row) => kept(titles.map((_, at) => row[at]))),
  ];
  const widths = kept(titles).map((_, column) => Math.max(...lines.map((line) => widthOf(line[column]))));
  return lines
    .map((line) => {
      const spans = line.flatMap((cell, column) => {
        const last = column === line.length - 1;
        return [...spansOf(cell), ...(last ? [] : [' '.repeat((widths[column] ?? 0) - widthOf(cell) + 3)])];
      });
      return `${renderLine(spans, options)}\n`;
    })
    .join('');
}

/** The pieces after another, without blanks at the end. */
export function renderLine(spans: readonly (string | Span)[], { colours, width }: TableOptions): string {
  const shown: string[] = [];
  const { length } = spans.map(textOf).join('').trimEnd();
  const cut = width !== undefined && length > width;
  let left = cut ? width - 1 : length;
  for (const span of spans) {
    const text = textOf(span).slice(0, left);
    left -= text.length;
    if (text === '') continue;
    shown.push(
      colours && typeof span !== 'string' ? styleText(span.style, text, { validateStream: false }) : text,
    );
  }
  return `${shown.join('')}${cut ? '…' : ''}`;
}

/** Without anything that moves the cursor, colours, hides or reorders: who writes a note does not write the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

const textOf = (span: string | Span) => (typeof span === 'string' ? span : span.text);
const spansOf = (cell: Cell) => (typeof cell === 'string' ? [cell] : (cell ?? []));
const widthOf = (cell: Cell) => spansOf(cell).reduce((sum, span) => sum + textOf(span).length, 0);
