// The worked examples of docs/retention.md, run.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { parseDuration } from '../../shared/duration.ts';
import { type Protections, planRetention, type RetentionInput } from './plan.ts';
import type { RetentionRules } from './policy.ts';

const now = new Date('2026-06-01T12:00:00Z');

const rulesSchema = z.strictObject({
  retentionPolicy: z
    .strictObject({
      keepMinSnapshots: z.int(),
      keepMinAge: z.string().transform(parseDuration),
      keepTags: z.array(z.string()).default([]),
    })
    .optional(),
  autoSnapshot: z.strictObject({ maxSnapshots: z.int() }).optional(),
});

const page = readFileSync(new URL('../../docs/retention.md', import.meta.url), 'utf8');
const examples = page.split(/^### /m).slice(1).map(parseExample);

test('the page has its examples', () => {
  expect(examples).toHaveLength(9);
});

test.each(examples)('$title', ({ rules, rows }) => {
  const plan = planRetention(rows.map(snapshotOf), rules, protectionsOf(rows), now);
  expect(plan).toEqual(
    rows.map((row) => ({
      id: row.snapshot,
      keep: row.result === 'keep',
      reasons: row.reasons?.split('; '),
    })),
  );
});

type Row = Record<string, string>;

function parseExample(text: string): { title: string; rules: RetentionRules; rows: Row[] } {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(text)?.[1];
  const { retentionPolicy: policy, autoSnapshot } = rulesSchema.parse(parse(yaml ?? ''));
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [head = '', , ...lines] = text.split('\n').filter((line) => line.startsWith('|'));
  const rows = lines.map((line) => Object.fromEntries(cells(line).map((cell, i) => [cells(head)[i], cell])));
  for (const row of rows) expect(['keep', 'delete']).toContain(row.result);
  return {
    title: text.split('\n')[0] ?? '',
    rules: { ...(policy && { policy }), ...autoSnapshot },
    rows,
  };
}

function snapshotOf(row: Row): RetentionInput {
  const [, minus, age] = /^(-?)(.+)$/.exec(row.age ?? '') ?? [];
  const time = now.getTime() - (minus ? -1 : 1) * parseDuration(age ?? '');
  return {
    id: row.snapshot ?? '',
    createdAt: new Date(time).toISOString(),
    worktree: row.worktree ?? 'main',
    origin: row.origin ?? 'manual',
    tags: row.tags?.split(' ') ?? [],
    ready: row.ready !== 'no',
    partial: row.partial === 'yes',
  };
}

function protectionsOf(rows: Row[]): Protections {
  const withWord = (word: string) =>
    rows.filter((row) => row.protected === word).map(({ snapshot = '' }) => snapshot);
  const worktrees = rows.flatMap(({ snapshot = '', protected: word = '' }) => {
    const [, role, name] = /^(head|latest|base) of (\w+)$/.exec(word) ?? [];
    return role && name ? [{ name, [role]: snapshot }] : [];
  });
  return { worktrees, pinned: withWord('pinned'), restoring: withWord('restoring'), unnoted: [] };
}
