// Counters, gauges and histograms in the text format of Prometheus. A client library would cost every idle agent
// megabytes for what is this page.

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  suffix?: string;
  labels: Labels;
  value: number;
}

abstract class Metric {
  readonly name: string;
  readonly #help: string;
  readonly #type: string;

  constructor(name: string, type: string, help: string) {
    this.name = name;
    this.#type = type;
    this.#help = help;
  }

  protected abstract samples(): Iterable<Sample>;

  *lines(): Iterable<string> {
    yield `# HELP ${this.name} ${this.#help}`;
    yield `# TYPE ${this.name} ${this.#type}`;
    for (const { suffix = '', labels, value } of this.samples()) {
      yield `${this.name}${suffix}${format(labels)} ${value}`;
    }
  }
}

export class Counter extends Metric {
  readonly #values = new Map<string, Sample>();

  /** `series` are those that are there from the start, so that the first increase of them is seen. */
  constructor(name: string, help: string, series: readonly Labels[] = [{}]) {
    super(name, 'counter', help);
    for (const labels of series) this.add(0, labels);
  }

  add(value: number, labels: Labels = {}): void {
    const key = format(labels);
    this.#values.set(key, { labels, value: (this.#values.get(key)?.value ?? 0) + value });
  }

  protected override samples(): Iterable<Sample> {
    return this.#values.values();
  }
}

/** Read when it is scraped; `undefined` leaves it out. */
export class Gauge extends Metric {
  readonly #read: () => number | undefined | readonly { labels: Labels; value: number }[];

  constructor(
    name: string,
    help: string,
    read: () => number | undefined | readonly { labels: Labels; value: number }[],
  ) {
    super(name, 'gauge', help);
    this.#read = read;
  }

  protected override samples(): Iterable<Sample> {
    const value = this.#read();
    if (value === undefined) return [];
    return typeof value === 'number' ? [{ labels: {}, value }] : value;
  }
}

export class Histogram extends Metric {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds` rise. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    super(name, 'histogram', help);
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#bounds.forEach((bound, i) => {
      if (value <= bound) this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    });
    this.#sum += value;
    this.#count++;
  }

  protected override *samples(): Iterable<Sample> {
    for (const [i, bound] of this.#bounds.entries()) {
      yield { suffix: '_bucket', labels: { le: String(bound) }, value: this.#counts[i] ?? 0 };
    }
    yield { suffix: '_bucket', labels: { le: '+Inf' }, value: this.#count };
    yield { suffix: '_sum', labels: {}, value: this.#sum };
    yield { suffix: '_count', labels: {}, value: this.#count };
  }
}

/** The page of `/metrics`. */
export function exposition(metrics: Iterable<Metric>): string {
  const lines: string[] = [];
  for (const metric of metrics) lines.push(...metric.lines());
  return `${lines.join('\n')}\n`;
}

function format(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return parts.length ? `{${parts.join(',')}}` : '';
}

const escapeValue = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
