// The plugin's grammar: commands, their operands and options, and what is wrong with a given command line.
import { parseArgs } from 'node:util';
import * as line from '../shared/command-line.ts';
import { parseDuration } from '../shared/duration.ts';

const { UsageError } = line;

/** What a word of the command line stands for: what the shell offers for it. */
export type Kind = 'workspace' | 'snapshot' | 'namespace' | 'context' | 'file' | readonly string[];

export interface OptionSpec extends line.OptionSpec {
  kind?: Kind;
}

export interface CommandSpec extends Omit<line.CommandSpec, 'operands'> {
  operands: readonly (readonly [name: string, kind?: Kind])[];
  options: Readonly<Record<string, OptionSpec>>;
}

const worktree: OptionSpec = { type: 'string', value: 'NAME', help: 'worktree (main)' };
const waiting: Record<string, OptionSpec> = {
  wait: { type: 'boolean', help: 'until it is done, with a progress bar' },
  timeout: { type: 'string', value: 'DURATION', help: 'how long --wait waits, such as 90s or 1h (10m)' },
};
const templates = ['pre-experiment', 'pre-deploy', 'checkpoint', 'work', 'release', 'archive'];
const formats = ['table', 'wide', 'json', 'yaml'] as const;
export type Format = (typeof formats)[number];

export const globals: Readonly<Record<string, OptionSpec>> = {
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAME',
    kind: 'namespace',
    help: "namespace (the context's)",
  },
  context: {
    type: 'string',
    value: 'NAME',
    kind: 'context',
    help: 'context of the kubeconfig (its current)',
  },
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    kind: 'file',
    help: 'kubeconfig ($KUBECONFIG, ~/.kube/config)',
  },
  output: {
    type: 'string',
    short: 'o',
    value: 'FORMAT',
    kind: formats,
    help: `${formats.join(', ')} (table)`,
  },
  help: { type: 'boolean', short: 'h', help: 'this text' },
};

const workspace = ['WORKSPACE', 'workspace'] as const;
const snapshot = ['SNAPSHOT', 'snapshot'] as const;

export const commands = {
  status: {
    operands: [workspace],
    required: 0,
    help: 'the Workspaces of the namespace, or one in full',
    options: {},
  },
  snapshot: {
    operands: [workspace],
    required: 1,
    help: 'take a snapshot',
    options: {
      name: { type: 'string', value: 'NAME', help: 'of the Snapshot (WORKSPACE- and five letters)' },
      note: { type: 'string', value: 'TEXT', help: 'what it is for' },
      tag: { type: 'string', multiple: true, value: 'TAG', help: 'a tag; can be repeated' },
      template: { type: 'string', value: 'NAME', kind: templates, help: templates.join(', ') },
      worktree,
      ...waiting,
    },
  },
  history: {
    operands: [workspace],
    required: 1,
    help: 'the snapshots, newest first, and what descends from what',
    options: {
      worktree: { type: 'string', value: 'NAME', help: 'only of this worktree, and what it descends from' },
      limit: { type: 'string', value: 'N', help: 'only the newest N' },
    },
  },
  diff: {
    operands: [workspace, ['FROM', 'snapshot'], ['TO', 'snapshot']],
    required: 2,
    help: 'what changed from a snapshot to another one, or to the worktree as it is now',
    options: { worktree },
  },
  restore: {
    operands: [workspace, snapshot],
    required: 2,
    help: 'bring a worktree back to a snapshot, in place; a snapshot of it as it is now is taken before',
    options: {
      worktree,
      'no-pre-restore-snapshot': {
        type: 'boolean',
        help: 'take none before; what is in no snapshot is lost',
      },
      ...waiting,
    },
  },
  fork: {
    operands: [workspace, snapshot, ['NEW']],
    required: 3,
    help: 'make a worktree of a snapshot',
    options: waiting,
  },
  pin: { operands: [snapshot], required: 1, help: 'keep a snapshot from being pruned', options: {} },
  unpin: { operands: [snapshot], required: 1, help: 'let retention decide about it again', options: {} },
  logs: {
    operands: [workspace],
    required: 1,
    help: "the agent's log",
    options: {
      follow: { type: 'boolean', short: 'f', help: 'go on with what comes' },
      tail: { type: 'string', value: 'N', help: 'only the last N lines' },
    },
  },
  completion: {
    operands: [],
    required: 0,
    help: 'the shell command that makes kubectl complete: eval "$(kubectl jvs completion)"',
    options: {},
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof commands;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

export interface Arguments extends line.Words {
  /** undefined only with `help`. */
  command: CommandName | undefined;
  help: boolean;
  output: Format;
}

/**
 * The global options may stand before the command.
 * @throws UsageError
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const { command, rest } = splitCommand(argv);
  if (command !== undefined && !isCommand(command)) {
    throw new UsageError(`unknown command ${JSON.stringify(command)}`);
  }
  const words = line.parseWords(command ?? '', withGlobals(command), rest);
  const help = words.flag('help');
  if (command === undefined && !help) throw new UsageError('a command is missing');
  const output = words.text('output') ?? 'table';
  const format = formats.find((one) => one === output);
  if (!format) throw new UsageError(`--output: ${JSON.stringify(output)} is none of ${formats.join(', ')}`);
  return { ...words, command, help, output: format };
}

/** As the words are parsed; without a command there are the global options alone. */
function withGlobals(command: CommandName | undefined): line.CommandSpec {
  if (!command) return { operands: [], required: 0, help: '', options: globals };
  const { operands, required, help, options }: CommandSpec = commands[command];
  return {
    ...{ required, help, options: { ...options, ...globals } },
    operands: operands.map(([operand]) => operand),
  };
}

/** The first word that is no global option, and all the others. */
export function splitCommand(argv: readonly string[]): { command: string | undefined; rest: string[] } {
  const { tokens } = parseArgs({
    args: [...argv],
    options: globals,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const index = tokens.find(({ kind }) => kind === 'positional')?.index;
  return index === undefined
    ? { command: undefined, rest: [...argv] }
    : { command: argv[index], rest: argv.toSpliced(index, 1) };
}

/** Milliseconds. @throws UsageError */
export function waitingTime(args: Arguments): number {
  try {
    // Timers take no more than 2^31 ms.
    return Math.min(parseDuration(args.text('timeout') ?? '10m'), 2 ** 31 - 1);
  } catch (cause) {
    throw new UsageError(`--timeout: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

export function usage(command?: CommandName): string {
  if (command) {
    const spec = withGlobals(command);
    return line.commandUsage(`kubectl jvs ${command}`, spec, spec.options);
  }
  const all = Object.fromEntries(
    Object.keys(commands)
      .filter(isCommand)
      .map((name) => [name, withGlobals(name)]),
  );
  return `kubectl jvs COMMAND [OPTIONS]; a SNAPSHOT is the name of one, or an id on the volume\n${line.overview(all, globals)}`;
}
