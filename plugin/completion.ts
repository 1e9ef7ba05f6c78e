// What the shell offers, by kubectl's contract for plugins: kubectl_complete-jvs gets the words after `kubectl jvs`,
// the last one unfinished, and prints a line for each choice, then a directive of Cobra's.
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

/** Of Cobra: no files where there is no choice; files. */
const directives = { none: 4, files: 0 };

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
    .map((choice) => `${choice.filter(Boolean).join('\t').replaceAll('\n', ' ')}\n`);
  return `${lines.join('')}:${kind === 'file' ? directives.files : directives.none}\n`;
}

/** Choices, or what to ask for them. Pure. */
export function questionOf(words: readonly string[]): Choice[] | Question {
  const before = words.slice(0, -1);
  const [last = ''] = words.slice(-1);
  const { command = '' } = splitCommand(before);
  const spec: CommandSpec | undefined = isCommand(command) ? commands[command] : undefined;
  const specs: Record<string, OptionSpec> = { ...globals, ...spec?.options };
  const optionOf = (word: string): OptionSpec | undefined =>
    word.startsWith('--')
      ? specs[word.slice(2)]
      : Object.values(specs).find(({ short }) => short !== undefined && word === `-${short}`);

  const values: KubeOptions & Record<string, string> = {};
  const operands: string[] = [];
  let awaiting: OptionSpec | undefined;
  for (const word of before) {
    if (awaiting) {
      const name = Object.keys(specs).find((one) => specs[one] === awaiting);
      if (name) values[name] = word;
      awaiting = undefined;
      continue;
    }
    const [name = '', value] = word.split('=', 2);
    if (word.startsWith('--') && value !== undefined) values[name.slice(2)] = value;
    else if (word.startsWith('-')) awaiting = optionOf(word)?.type === 'string' ? optionOf(word) : undefined;
    else operands.push(word);
  }
  const [, workspace] = operands;
  const options = { namespace: values.namespace, context: values.context, kubeconfig: values.kubeconfig };
  if (awaiting) return { kind: awaiting.kind ?? 'nothing', options };
  if (last.startsWith('-')) return Object.entries(specs).map(([name, { help }]) => [`--${name}`, help]);
  if (!spec) return Object.entries(commands).map(([name, { help }]) => [name, help]);
  const [, kind = 'nothing'] = spec.operands[operands.length - 1] ?? [];
  return { kind, options, workspace: spec.operands[0]?.[0] === 'WORKSPACE' ? workspace : undefined };
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
