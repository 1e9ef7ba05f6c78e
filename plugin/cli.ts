// kubectl jvs: one command, from its words to its exit code.
import { UsageError } from '../shared/command-line.ts';
import { type Arguments, type CommandName, parseArguments, usage } from './arguments.ts';
import type { Command } from './commands/command.ts';
import { diff } from './commands/diff.ts';
import { history } from './commands/history.ts';
import { logs } from './commands/logs.ts';
import { pin, unpin } from './commands/pin.ts';
import { fork, restore } from './commands/restore.ts';
import { snapshot } from './commands/snapshot.ts';
import { status } from './commands/status.ts';
import { complete } from './completion.ts';
import { explain } from './errors.ts';
import type { KubeOptions } from './kube.ts';
import { type Surroundings, Terminal } from './terminal.ts';

/** Of the process. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const runs: Record<Exclude<CommandName, 'completion'>, Command> = {
  status,
  snapshot,
  history,
  diff,
  restore,
  fork,
  pin,
  unpin,
  logs,
};

/** Loaded when it is needed: the Kubernetes client is large. */
async function connect(options: KubeOptions) {
  const { Kube } = await import('./kube.ts');
  return new Kube(options);
}

/** Runs one command, `argv` without the program's name, and returns the exit code. */
export async function runCli(argv: readonly string[], around: Surroundings): Promise<number> {
  let args: Arguments;
  try {
    if (argv[0] === 'help') args = parseArguments([...argv.slice(1), '--help']);
    else args = parseArguments(argv.length === 0 ? ['--help'] : argv);
  } catch (error) {
    return wrongUsage(error, around);
  }
  if (args.help || args.command === undefined) {
    around.stdout.write(usage(args.command));
    return EXIT.done;
  }
  if (args.command === 'completion') {
    around.stdout.write(completionSetup());
    return EXIT.done;
  }
  const terminal = new Terminal(around, args.output);
  try {
    const kube = await connect({
      kubeconfig: args.text('kubeconfig'),
      context: args.text('context'),
      namespace: args.text('namespace'),
    });
    await runs[args.command]({ args, kube, terminal });
    return EXIT.done;
  } catch (error) {
    if (error instanceof UsageError) return wrongUsage(error, around);
    around.stderr.write(`kubectl jvs: ${explain(error)}\n`);
    return EXIT.failed;
  }
}

/** In the role of kubectl_complete-jvs. Nothing that goes wrong is told: the shell would show it as a choice. */
export async function runCompletion(words: readonly string[], around: Surroundings): Promise<number> {
  // Somebody waits at the prompt.
  around.stdout.write(await complete(words, (options) => connect({ ...options, timeoutMs: 3_000 })));
  return EXIT.done;
}

/** kubectl looks for a program of that name on PATH. This one knows by its name what it is asked for. */
function completionSetup(): string {
  const path = process.argv[1] ?? 'kubectl-jvs';
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return `ln -sf ${quoted(path)} ${quoted(path.replace(/[^/]*$/, 'kubectl_complete-jvs'))}\n`;
}

function wrongUsage(error: unknown, { stderr }: Surroundings): number {
  if (!(error instanceof UsageError)) throw error;
  stderr.write(`kubectl jvs: ${error.message} (kubectl jvs --help lists commands and options)\n`);
  return EXIT.usage;
}
