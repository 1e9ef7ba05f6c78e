// What the shell offers, by kubectl's contract for plugins: kubectl_complete-jvs gets the words after `kubectl jvs`,
// the last one unfinished, and prints a line for each choice, then a directive of Cobra's.
import { parseArgs } from 'node:util';
import {
  type CommandSpec,
  commands,
  globals,
  isCommand,
  type Kind,
  type OptionSpec,
  splitCommand,
} from './arguments.ts';
import type { Kube, KubeOptions } from './kube.ts';
import type { Snapshot, Workspace } from './objects.ts';
import { printable } from './render/table.ts';

/** Of Cobra: where there is no choice, are files offered? */
const DIRECTIVES = { noFiles: 4, files: 0 };

interface Question {
  kind: Kind | 'nothing';
  /** The cluster that is asked about. */
  options: KubeOptions;
  /** Only of this Workspace, where one is named already. */
  workspace?: string | undefined;
}

/** `choice\tdescription`. */
type Choice = readonly [choice: string, description?: string];

/** What is written to stdout. `connect` may fail: then there is no choice. */
export async function complete(
  words: readonly string[],
  connect: (options: KubeOptions) => Promise<Kube>,
): Promise<string> {
  const asked = questionOf(words);
  const kind = Array.isArray(asked) ? undefined : asked.kind;
  const choices = Array.isArray(asked) ? asked : await choicesOf(asked, connect).catch(() => []);
  const [last = ''] = words.slice(-1);
  const lines = choices
    .filter(([choice]) => choice.startsWith(last))
    .map((choice) => `${choice.flatMap((text) => (text ? [printable(text)] : [])).join('\t')}\n`);
  return `${lines.join('')}:${kind === 'file' ? DIRECTIVES.files : DIRECTIVES.noFiles}\n`;
}

/** Choices, or what to ask for them. Pure. */
export function questionOf(words: readonly string[]): Choice[] | Question {
  const { command = '', rest } = splitCommand(words.slice(0, -1));
  const [last = ''] = words.slice(-1);
  const spec: CommandSpec | undefined = isCommand(command) ? commands[command] : undefined;
  const specs: Readonly<Record<string, OptionSpec>> = { ...globals, ...spec?.options };
  const { tokens, values, positionals } = parseArgs({
    args: rest,
    options: specs,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const options = {
    namespace: text('namespace'),
    context: text('context'),
    kubeconfig: text('kubeconfig'),
  };
  const before = tokens.at(-1);
  const awaiting = before?.kind === 'option' && before.value === undefined ? specs[before.name] : undefined;
  if (awaiting?.type === 'string') return { kind: awaiting.kind ?? 'nothing', options };
  if (last.startsWith('-')) return Object.entries(specs).map(([name, { help }]) => [`--${name}`, help]);
  if (!spec) return Object.entries(commands).map(([name, { help }]) => [name, help]);
  const [, kind = 'nothing'] = spec.operands[positionals.length] ?? [];
  const [workspace] = spec.operands[0]?.[1] === 'workspace' ? positionals : [];
  return { kind, options, workspace };
}

async function choicesOf(
  { kind, options, workspace }: Question,
  connect: (options: KubeOptions) => Promise<Kube>,
): Promise<Choice[]> {
  if (typeof kind !== 'string') return kind.map((choice) => [choice]);
  if (kind === 'nothing' || kind === 'file') return [];
  const kube = await connect(options);
  if (kind === 'context') return kube.contexts.map((name) => [name]);
  if (kind === 'namespace') return (await kube.namespaces()).map((name) => [name]);
  if (kind === 'workspace') {
    return (await kube.list<Workspace>('workspaces')).map(({ metadata, status }) => [
      metadata.name,
      status?.phase,
    ]);
  }
  const snapshots = await kube.list<Snapshot>('snapshots');
  return snapshots
    .filter(({ spec }) => workspace === undefined || spec.workspace === workspace)
    .map(({ metadata, spec, status }) => [metadata.name, spec.note || status?.origin]);
}
