// What the plugin writes, and how: tables and lines for people, documents for programs, a progress bar meanwhile.
import type { Format } from './arguments.ts';
import { type Cell, renderLine, renderTable, type Span } from './render/table.ts';
import { progressBar } from './render/units.ts';

export interface Stream {
  write(text: string | Uint8Array): unknown;
  isTTY?: boolean;
  /** 0 where nobody has told the terminal its size. */
  columns?: number;
}

export interface Surroundings {
  stdout: Stream;
  stderr: Stream;
  env: Readonly<Record<string, string | undefined>>;
  now: () => Date;
}

export class Terminal {
  readonly wide: boolean;
  /** A document is asked for: nothing else may be written to stdout. */
  readonly forPrograms: boolean;
  readonly #format: Format;
  readonly #around: Surroundings;
  #progress = false;

  constructor(around: Surroundings, format: Format) {
    this.#around = around;
    this.#format = format;
    this.wide = format === 'wide';
    this.forPrograms = format === 'json' || format === 'yaml';
  }

  get now(): Date {
    return this.#around.now();
  }

  table(titles: readonly string[], rows: readonly (readonly Cell[])[]): void {
    this.#around.stdout.write(renderTable(titles, rows, this.#options));
  }

  line(...spans: (string | Span)[]): void {
    this.#around.stdout.write(`${renderLine(spans, { colours: this.#options.colours })}\n`);
  }

  async document(value: unknown): Promise<void> {
    if (this.#format === 'json') {
      this.#around.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      return;
    }
    const { stringify } = await import('yaml');
    this.#around.stdout.write(stringify(value, { lineWidth: 0 }));
  }

  /** A line about what is written, beside it. */
  note(text: string): void {
    this.endProgress();
    this.#around.stderr.write(`${text}\n`);
  }

  /** Of bytes; drawn over the last one, and only for people. */
  progress(what: string, done: number, total: number): void {
    if (!this.#around.stderr.isTTY) return;
    const line = renderLine([`${what} ${progressBar(done, total)}`], {
      colours: false,
      width: this.#around.stderr.columns || undefined,
    });
    this.#around.stderr.write(`\r\x1b[K${line}`);
    this.#progress = true;
  }

  endProgress(): void {
    if (this.#progress) this.#around.stderr.write('\r\x1b[K');
    this.#progress = false;
  }

  /** Passes on what comes, until it ends. */
  async pass(source: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of source) this.#around.stdout.write(chunk);
  }

  get #options() {
    const { stdout, env } = this.#around;
    const colours = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
    return { colours, width: (stdout.isTTY && stdout.columns) || undefined };
  }
}
