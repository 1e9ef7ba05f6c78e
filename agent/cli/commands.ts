import { existsSync } from 'node:fs';
import type { ZodMiniType } from 'zod/mini';
import { UsageError, wholeNumber } from '../../shared/command-line.ts';
import { parseDuration } from '../../shared/duration.ts';
import { ofWorktree } from '../../shared/history.ts';
import type { Control } from '../repository/native/control.ts';
import type { Engine } from '../repository/native/engine.ts';
import type { Layout } from '../repository/native/layout.ts';
import {
  getSnapshot,
  headOf,
  listSnapshots,
  listWorktrees,
  snapshotIds,
} from '../repository/native/reader.ts';
import {
  type Change,
  type Compression,
  type Descriptor,
  type Difference,
  type EngineName,
  RepositoryError,
  type Verification,
} from '../repository/repository.ts';
import { isReservedTag } from '../snapshot.ts';
import { DamagedState, readState } from '../state.ts';
import { type PrunePlan, planPrune } from '../upkeep/plan.ts';
import { noRules, type Rules, rulesSchema } from '../upkeep/rules.ts';
import { resultsOf, resultsSchema } from '../upkeep/verifier.ts';
import type { Arguments, CommandName } from './arguments.ts';

export interface Opened {
  layout: Layout;
  engine: Engine;
  control: Control;
}

export interface Outcome {
  json: unknown;
  /** The same for people, with its last newline. */
  text: string;
  /** What was looked at is not as it should be. */
  damaged?: boolean;
}

type Run = (args: Arguments, opened: Opened) => Promise<Outcome>;

/** @throws RepositoryError, UsageError */
export function run(args: Arguments, opened: Opened): Promise<Outcome> {
  return RUNS[args.command](args, opened);
}

const RUNS: Record<CommandName, Run> = {
  init: async (_, { engine, layout }) => {
    const { repositoryId, formatVersion } = await engine.open();
    const json = { format_version: formatVersion, repo_id: repositoryId, repo_root: layout.volume };
    return { json, text: `repository ${repositoryId} in ${layout.volume}\n` };
  },

  snapshot: async (args, { engine, control }) => {
    const reserved = args.texts('tag').find(isReservedTag);
    if (reserved !== undefined) {
      const kept = 'k8s-… and auto-… with a number are kept for Snapshot resources and the schedule';
      throw new UsageError(`--tag: ${JSON.stringify(reserved)}: ${kept}`);
    }
    await engine.open();
    const note = args.text('note');
    const made = await engine.snapshot(
      {
        worktree: worktreeOf(args),
        origin: 'manual',
        tags: args.texts('tag'),
        ...(note === undefined ? {} : { note }),
        ...compressionOf(args),
        paths: args.texts('path'),
        ...(args.text('engine') ? { engine: args.text('engine') as EngineName } : {}),
      },
      control,
    );
    return { json: made, text: `${made.snapshot_id}\n` };
  },

  history: async (args, { layout }) => {
    const worktree = worktreeOf(args);
    const head = await headOf(layout, worktree);
    const all = await listSnapshots(layout);
    const tag = args.text('tag');
    const found = (args.flag('all') ? all : historyOf(worktree, head, all))
      .filter((d) => tag === undefined || d.tags?.includes(tag))
      .slice(0, wholeNumber(args, 'limit'));
    return { json: found, text: found.map((d) => line(d, head)).join('') };
  },

  show: async ({ operands: [id = ''] }, { layout }) => {
    const found = await getSnapshot(layout, id);
    return { json: found, text: `${JSON.stringify(found, null, 2)}\n` };
  },

  diff: async (args, { engine, layout, control }) => {
    const [from = '', to] = args.operands;
    if (to !== undefined && args.text('worktree')) throw new UsageError('diff: give TO or --worktree');
    const found: Record<Difference['how'], Change[]> = { added: [], removed: [], modified: [] };
    const target = to === undefined ? { worktree: worktreeOf(args) } : { snapshotId: to };
    await engine.diff(from, target, control, (how, change) => found[how].push(change));
    const { added, removed, modified } = found;
    const json = {
      from_snapshot_id: from,
      from_time: (await getSnapshot(layout, from)).created_at,
      ...(to === undefined
        ? { to_worktree: worktreeOf(args) }
        : { to_snapshot_id: to, to_time: (await getSnapshot(layout, to)).created_at }),
      added,
      removed,
      modified,
      total_added: added.length,
      total_removed: removed.length,
      total_modified: modified.length,
    };
    const lines = (sign: string, changes: Change[]) => changes.map(({ path }) => `${sign} ${path}\n`);
    return { json, text: [...lines('+', added), ...lines('-', removed), ...lines('~', modified)].join('') };
  },

  verify: async (args, opened) => {
    const { engine, control } = opened;
    const [id] = args.operands;
    if (id !== undefined && args.flag('all')) throw new UsageError('verify: give an ID or --all');
    const results = id === undefined ? await verifyAll(opened) : [await engine.verify(id, control)];
    const json = results.map(verificationJson);
    return {
      json: id === undefined ? json : json[0],
      text: results.map((v) => `${v.snapshotId}  ${v.error ? `TAMPERED: ${v.error}` : 'ok'}\n`).join(''),
      damaged: results.some((v) => !v.descriptorValid || !v.payloadValid),
    };
  },

  restore: async (args, { engine, layout, control }) => {
    const [snapshotId = ''] = args.operands;
    const worktree = worktreeOf(args);
    await engine.open();
    await engine.restore({ worktree, snapshotId }, control);
    const config = (await listWorktrees(layout)).find((w) => w.name === worktree);
    const detached = config?.head_snapshot_id !== config?.latest_snapshot_id;
    return {
      json: { snapshot_id: snapshotId, worktree, status: 'restored', detached },
      text: `${worktree} is at ${snapshotId}\n`,
    };
  },

  fork: async ({ operands: [snapshotId = '', name = ''] }, { engine, layout, control }) => {
    await engine.open();
    await engine.fork({ snapshotId, name }, control);
    const config = (await listWorktrees(layout)).find((w) => w.name === name);
    return { json: config, text: `worktrees/${name} is made from ${snapshotId}\n` };
  },

  delete: async (args, { engine, control }) => {
    const [id = ''] = args.operands;
    await engine.open();
    await engine.delete({ id, evenHeads: args.flag('even-heads') }, control);
    return { json: { snapshot_id: id, status: 'deleted' }, text: `${id} is deleted\n` };
  },

  remove: async ({ operands: [name = ''] }, { engine, control }) => {
    await engine.open();
    await engine.removeWorktree(name, control);
    return { json: { name, status: 'removed' }, text: `worktrees/${name} is removed\n` };
  },

  retention,

  doctor: async (args, opened) => {
    const { engine, layout } = opened;
    await engine.open();
    const findings = await engine.doctor(args.flag('repair'));
    const results = args.flag('strict') ? await verifyAll(opened) : [];
    const tampered = results.filter((v) => !v.payloadValid);
    const healthy = tampered.length === 0 && !findings.some((f) => f.severity !== 'warning' && !f.repaired);
    const json = {
      healthy,
      findings: [
        ...findings,
        ...tampered.map((v) => ({
          category: 'integrity',
          severity: 'critical',
          description: v.error,
          path: layout.snapshot(v.snapshotId),
          repaired: false,
        })),
      ],
    };
    const lines = json.findings.map(
      (f) => `${f.severity}: ${f.path}: ${f.description}${f.repaired ? ' (repaired)' : ''}\n`,
    );
    return { json, text: `${lines.join('')}${healthy ? 'healthy' : 'not healthy'}\n`, damaged: !healthy };
  },
};

/** What is deleted meanwhile, by retention say, is none of them any more. */
async function verifyAll({ engine, layout, control }: Opened): Promise<Verification[]> {
  const results: Verification[] = [];
  for (const id of await snapshotIds(layout)) {
    try {
      results.push(await engine.verify(id, control));
    } catch (error) {
      const isGone = error instanceof RepositoryError && error.reason === 'NotFound';
      if (!isGone || existsSync(layout.snapshot(id))) throw error;
    }
  }
  return results;
}

async function retention(args: Arguments, { engine, layout, control }: Opened): Promise<Outcome> {
  const rules = await stateOf(layout, 'rules', rulesSchema);
  const notes = resultsOf(await stateOf(layout, 'verify', resultsSchema));
  const { by, ...policy } = policyOf(args, rules);
  const snapshots = await listSnapshots(layout);
  const allowMassPrune = args.flag('allow-mass-prune') || (rules?.allowMassPrune ?? false);
  let plan: PrunePlan;
  try {
    const asked = { ...(rules ?? noRules), ...policy, allowMassPrune };
    plan = planPrune(snapshots, await listWorktrees(layout), notes, asked, new Date());
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RepositoryError('InvalidArgument', `${by}: ${cause.message}`, { cause });
  }
  const { decisions, doomed, held } = plan;
  const apply = args.flag('apply');
  const holding = `it would delete ${held} of ${snapshots.length} snapshots at once: give --allow-mass-prune, or annotate the Workspace with jvs.io/allow-mass-prune=true`;
  if (apply) {
    if (held > 0) throw new RepositoryError('InvalidArgument', `nothing is deleted, for ${holding}`);
    await engine.open();
    for (const { id } of doomed) await engine.delete({ id }, control);
  }
  const lines = decisions.map(
    ({ id, keep, reasons }) =>
      `${id}  ${keep ? 'keep' : apply ? 'deleted' : 'to delete'}: ${reasons.join('; ')}\n`,
  );
  return {
    json: decisions.map(({ id, keep, reasons }) => ({ snapshot_id: id, keep, reasons })),
    text: `by ${by}\n${lines.join('')}${held > 0 ? `held, for ${holding}\n` : ''}`,
  };
}

/** What the options say; without any what the volume's rules do; and where there are none the defaults. */
function policyOf(
  args: Arguments,
  rules: Rules | undefined,
): Pick<Rules, 'policy' | 'maxSnapshots'> & { by: string } {
  const [keepMin, maxSnapshots] = [wholeNumber(args, 'keep-min'), wholeNumber(args, 'max-auto')];
  const [keepAge, keepTags] = [args.text('keep-age'), args.texts('keep-tag')];
  const said = [keepMin, maxSnapshots, keepAge, ...keepTags].some((option) => option !== undefined);
  if (rules && !said) {
    return { policy: rules.policy, maxSnapshots: rules.maxSnapshots, by: 'the policy of the Workspace' };
  }
  return {
    policy: { keepMinSnapshots: keepMin ?? 10, keepMinAge: duration(keepAge ?? '24h'), keepTags },
    maxSnapshots,
    by: said ? 'the policy of the options' : 'the default policy: the volume has none',
  };
}

/** What the agent of the volume has written down. @throws RepositoryError where it is damaged: a pin may be in it */
async function stateOf<T>({ volume }: Layout, name: string, schema: ZodMiniType<T>): Promise<T | undefined> {
  try {
    return await readState(volume, name, schema);
  } catch (cause) {
    if (!(cause instanceof DamagedState))
      throw new RepositoryError('Internal', (cause as Error).message, { cause });
    const message = `.jvs/agent/${name}.json is damaged: an agent sets it aside when it starts; where none runs, move it away`;
    throw new RepositoryError('Internal', message, { cause });
  }
}

function compressionOf(args: Arguments): { compression?: Compression } {
  const text = args.text('compression');
  if (text === undefined) return {};
  const [, type, level] = /^(gzip|zstd)(?::(\d))?$/.exec(text) ?? [];
  if (type === undefined)
    throw new UsageError(`--compression: ${JSON.stringify(text)}: write gzip:6 or zstd:3`);
  return {
    compression: { type: type as Compression['type'], level: Number(level ?? (type === 'gzip' ? 6 : 3)) },
  };
}

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (cause) {
    throw new UsageError(`--keep-age: ${cause instanceof Error ? cause.message : text}`, { cause });
  }
}

function worktreeOf(args: Arguments): string {
  return args.text('worktree') ?? 'main';
}

function historyOf(name: string, head: string | undefined, all: Descriptor[]): Descriptor[] {
  const entries = all.map((descriptor) => {
    const { snapshot_id: id, parent_id: parent, worktree_name: worktree } = descriptor;
    return { id, parent, worktree, descriptor };
  });
  return ofWorktree(name, head, entries).map(({ descriptor }) => descriptor);
}

function line(d: Descriptor, head: string | undefined): string {
  const [note = ''] = (d.note ?? '').split('\n');
  const tags = d.tags?.length ? `  [${d.tags.join(', ')}]` : '';
  return `${d.snapshot_id}  ${d.created_at}  ${note}${tags}${d.snapshot_id === head ? '  (head)' : ''}\n`;
}

function verificationJson(v: Verification) {
  return {
    snapshot_id: v.snapshotId,
    checksum_valid: v.descriptorValid,
    payload_hash_valid: v.payloadValid,
    tamper_detected: !v.descriptorValid || !v.payloadValid,
    ...(v.error ? { error: v.error } : {}),
  };
}
