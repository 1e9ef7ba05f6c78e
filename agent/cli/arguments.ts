// The command line's grammar: commands, their operands and options, and what is wrong with a given one.
import { parseArgs } from 'node:util';

interface OptionSpec {
  type: 'string' | 'boolean';
  multiple?: boolean;
  short?: string;
  /** How the value is called in the usage. */
  value?: string;
  help: string;
}

interface CommandSpec {
  operands: readonly string[];
  /** So many of the operands have to be given. */
  required: number;
  help: string;
  options: Readonly<Record<string, OptionSpec>>;
}

const worktree: OptionSpec = { type: 'string', value: 'NAME', help: 'worktree (main)' };

const common: Record<string, OptionSpec> = {
  volume: { type: 'string', value: 'DIR', help: 'root of the volume ($JVS_VOLUME, or /jvs)' },
  implementation: {
    type: 'string',
    value: 'NAME',
    help: 'native, jvs-8 or jvs-0.4 ($JVS_IMPLEMENTATION, or native), with the program $JVS_BINARY, or jvs',
  },
  json: { type: 'boolean', help: 'one JSON document on stdout, errors as JSON on stderr' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
};

export const commands = {
  init: { operands: [], required: 0, help: 'make a repository where there is none', options: {} },
  snapshot: {
    operands: [],
    required: 0,
    help: 'take a snapshot of a worktree',
    options: {
      worktree,
      note: { type: 'string', value: 'TEXT', help: 'what it is for' },
      tag: { type: 'string', multiple: true, value: 'TAG', help: 'a tag; can be repeated' },
      engine: { type: 'string', value: 'NAME', help: 'copy, reflink-copy or juicefs-clone (copy)' },
      path: {
        type: 'string',
        multiple: true,
        value: 'PATH',
        help: 'only this part of the worktree; can be repeated',
      },
      compression: { type: 'string', value: 'TYPE:LEVEL', help: 'gzip or zstd, and 0 to 9, as in gzip:6' },
    },
  },
  history: {
    operands: [],
    required: 0,
    help: "a worktree's snapshots and what they descend from, newest first",
    options: {
      worktree,
      all: { type: 'boolean', help: 'of every worktree' },
      tag: { type: 'string', value: 'TAG', help: 'only with this tag' },
      limit: { type: 'string', short: 'n', value: 'N', help: 'the newest N' },
    },
  },
  show: { operands: ['ID'], required: 1, help: 'one snapshot', options: {} },
  diff: {
    operands: ['FROM', 'TO'],
    required: 1,
    help: 'from a snapshot to another one, or to the worktree as it is now',
    options: { worktree },
  },
  verify: {
    operands: ['ID'],
    required: 0,
    help: 'read files again and compare them with their hashes',
    options: { all: { type: 'boolean', help: 'every snapshot; so too without ID' } },
  },
  restore: {
    operands: ['ID'],
    required: 1,
    help: 'bring the files of a worktree back to a snapshot, in place; what is not in a snapshot is lost',
    options: { worktree },
  },
  fork: { operands: ['ID', 'NAME'], required: 2, help: 'make a worktree from a snapshot', options: {} },
  delete: {
    operands: ['ID'],
    required: 1,
    help: 'delete a snapshot; its children get its parent',
    options: {
      'even-heads': {
        type: 'boolean',
        help: 'one that a worktree needs too: it falls back to the parent, its files stay',
      },
    },
  },
  remove: {
    operands: ['WORKTREE'],
    required: 1,
    help: 'remove a worktree and its files; its snapshots stay',
    options: {},
  },
  retention: {
    operands: [],
    required: 0,
    help: 'which snapshots a policy keeps, and why',
    options: {
      'keep-min': { type: 'string', value: 'N', help: 'keep the newest N (10)' },
      'keep-age': {
        type: 'string',
        value: 'DURATION',
        help: 'keep what is younger, such as 48h or 7d (24h)',
      },
      'keep-tag': {
        type: 'string',
        multiple: true,
        value: 'TAG',
        help: 'keep what has this tag; can be repeated',
      },
      'max-auto': { type: 'string', value: 'N', help: 'keep at most N automatic ones' },
      apply: { type: 'boolean', help: 'delete the others' },
    },
  },
  doctor: {
    operands: [],
    required: 0,
    help: 'look for damage and debris',
    options: {
      repair: { type: 'boolean', help: 'repair what can be repaired without guessing' },
      strict: { type: 'boolean', help: 'verify every snapshot too' },
    },
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof commands;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

export interface Arguments {
  command: CommandName;
  operands: string[];
  help: boolean;
  json: boolean;
  volume: string | undefined;
  flag(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): string[];
}

/** The command line is wrong; `message` says how, in a line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments {
  const [command = '', ...rest] = argv;
  if (!isCommand(command)) throw new UsageError(`unknown command ${JSON.stringify(command)}`);
  const spec: CommandSpec = commands[command];
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    const options = { ...common, ...spec.options } as Record<string, { type: 'string' | 'boolean' }>;
    parsed = parseArgs({ args: rest, options, allowPositionals: true, strict: true });
  } catch (cause) {
    const [sentence = ''] = cause instanceof Error ? cause.message.split(/\. (?=To)|\n/) : [];
    throw new UsageError(sentence, { cause });
  }
  const { values, positionals } = parsed;
  const help = values.help === true;
  if (!help && positionals.length < spec.required) {
    throw new UsageError(`${command}: ${spec.operands[positionals.length]} is missing`);
  }
  if (positionals.length > spec.operands.length) {
    throw new UsageError(`${command}: unexpected ${JSON.stringify(positionals[spec.operands.length])}`);
  }
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  return {
    command,
    operands: positionals,
    help,
    json: values.json === true,
    volume: text('volume'),
    flag: (name) => values[name] === true,
    text,
    texts: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
  };
}

/** @throws UsageError */
export function wholeNumber(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name}: ${JSON.stringify(text)} is no whole number`);
  return Number(text);
}

export function usage(command?: CommandName): string {
  if (command) {
    const { operands, required, help, options }: CommandSpec = commands[command];
    const words = operands.map((operand, i) => (i < required ? operand : `[${operand}]`));
    return `jvs-agent ${[command, ...words].join(' ')}: ${help}\n${optionLines({ ...options, ...common })}`;
  }
  const lines = Object.entries(commands).map(([name, { operands, help }]) => [
    [name, ...operands].join(' '),
    help,
  ]);
  return `jvs-agent COMMAND [OPTIONS]\n${columns(lines)}${optionLines(common)}`;
}

function optionLines(options: Record<string, OptionSpec>): string {
  return columns(
    Object.entries(options).map(([name, { short, value, help }]) => [
      `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`,
      help,
    ]),
  );
}

function columns(lines: (string | undefined)[][]): string {
  const width = Math.max(...lines.map(([left = '']) => left.length));
  return lines.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
