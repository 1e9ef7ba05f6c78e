// The command line's grammar: commands, their operands and options, and what is wrong with a given one.
import {
  type CommandSpec,
  commandUsage,
  type OptionSpec,
  overview,
  parseWords,
  UsageError,
  type Words,
} from '../../shared/command-line.ts';

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
    help: "which snapshots the Workspace's policy keeps, or that of --keep-… and --max-auto if given, and why; pins and running Restores count with both",
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
      apply: { type: 'boolean', help: 'delete the others; without it nothing is deleted' },
      'allow-mass-prune': { type: 'boolean', help: 'delete them even if they are more than half of all' },
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

export interface Arguments extends Words {
  command: CommandName;
  help: boolean;
  json: boolean;
  volume: string | undefined;
}

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): Arguments {
  const [command = '', ...rest] = argv;
  if (!isCommand(command)) throw new UsageError(`unknown command ${JSON.stringify(command)}`);
  const words = parseWords(command, withCommon(command), rest);
  return {
    ...words,
    command,
    help: words.flag('help'),
    json: words.flag('json'),
    volume: words.text('volume'),
  };
}

function withCommon(command: CommandName): CommandSpec {
  const spec: CommandSpec = commands[command];
  return { ...spec, options: { ...spec.options, ...common } };
}

export function usage(command?: CommandName): string {
  if (!command) return `jvs-agent COMMAND [OPTIONS]\n${overview(commands, common)}`;
  const spec = withCommon(command);
  return commandUsage(`jvs-agent ${command}`, spec, spec.options);
}
