// The words of a command line, understood by a grammar; and the grammar as a text for people.
import { parseArgs } from 'node:util';

export interface OptionSpec {
  type: 'string' | 'boolean';
  multiple?: boolean;
  short?: string;
  /** How the value is called in the usage. */
  value?: string;
  help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface CommandSpec {
  operands: readonly string[];
  /** So many of the operands have to be given. */
  required: number;
  help: string;
  options: OptionSpecs;
}

export interface Words {
  operands: string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): string[];
}

/** The command line is wrong; `message` says how, in a line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What stands behind a command; option `help` lets operands be missing. @throws UsageError */
export function parseWords(
  command: string,
  { operands, required, options }: CommandSpec,
  argv: readonly string[],
): Words {
  const { values, positionals } = parse(options, argv);
  if (positionals.length < required && values.help !== true) {
    throw new UsageError(`${command}: ${operands[positionals.length]} is missing`);
  }
  if (positionals.length > operands.length) {
    throw new UsageError(`${command}: unexpected ${JSON.stringify(positionals[operands.length])}`);
  }
  const empty = positionals.indexOf('');
  if (empty >= 0) throw new UsageError(`${command}: ${operands[empty]} is empty`);
  return {
    operands: positionals,
    flag: (name) => values[name] === true,
    text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
    texts: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
  };
}

function parse(options: OptionSpecs, argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { values: values as Record<string, unknown>, positionals };
  } catch (cause) {
    const [sentence = ''] = cause instanceof Error ? cause.message.split(/\. (?=To)|\n/) : [];
    throw new UsageError(sentence, { cause });
  }
}

/** @throws UsageError */
export function wholeNumber(words: Words, name: string): number | undefined {
  const text = words.text(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name}: ${JSON.stringify(text)} is no whole number`);
  return Number(text);
}

/** Of one command, `name` with the program's; of its options, the common ones too. */
export function commandUsage(
  name: string,
  { operands, required, help }: CommandSpec,
  options: OptionSpecs,
): string {
  const words = operands.map((operand, i) => (i < required ? operand : `[${operand}]`));
  return `${[name, ...words].join(' ')}: ${help}\n${optionLines(options)}`;
}

/** A line a command, and a line a common option. */
export function overview(commands: Readonly<Record<string, CommandSpec>>, options: OptionSpecs): string {
  const lines = Object.entries(commands).map(([name, { operands, help }]): [string, string] => [
    [name, ...operands].join(' '),
    help,
  ]);
  return columns(lines) + optionLines(options);
}

function optionLines(options: OptionSpecs): string {
  return columns(
    Object.entries(options).map(([name, { short, value, help }]) => [
      `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`,
      help,
    ]),
  );
}

function columns(lines: [string, string][]): string {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
