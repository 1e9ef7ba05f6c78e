import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMassPrune, type Protections, planRetention, type RetentionInput } from './plan.ts';
import { type RetentionPolicy, type RetentionRules, validatePolicy } from './policy.ts';

const now = new Date('2026-06-01T12:00:00Z');
const hour = 3_600_000;
const none: Protections = { worktrees: [], pinned: [], restoring: [], unnoted: [] };

const snapshot = fc.record({
  worktree: fc.constantFrom('main', 'exp', 'x'),
  // Coarse, so that many are of the same time; some in the future, some unreadable.
  createdAt: fc.oneof(
    { weight: 30, arbitrary: fc.integer({ min: -3, max: 60 }).map((age) => time(age)) },
    { weight: 1, arbitrary: fc.constant('yesterday') },
  ),
  origin: fc.constantFrom('manual', 'auto', 'auto', 'self', 'discovered', 'pre-restore', 'final'),
  tags: fc.subarray(['release', 'wip', 'k8s-1']),
  ready: fc.boolean(),
  partial: fc.boolean(),
});
const history = fc
  .array(snapshot, { maxLength: 40, size: 'max' })
  .map((list): RetentionInput[] => list.map((one, i) => ({ ...one, id: `s${i}` })));
const id = fc.integer({ min: 0, max: 45 }).map((i) => `s${i}`);
const protections: fc.Arbitrary<Protections> = fc.record({
  worktrees: fc.array(
    fc.record(
      { name: fc.constantFrom('main', 'exp'), head: id, latest: id, base: id },
      { requiredKeys: ['name'] },
    ),
    { maxLength: 2 },
  ),
  pinned: fc.array(id, { maxLength: 3 }),
  restoring: fc.array(id, { maxLength: 2 }),
  unnoted: fc.array(id, { maxLength: 2 }),
});
const policy: fc.Arbitrary<RetentionPolicy> = fc.record({
  keepMinSnapshots: fc.nat({ max: 20 }),
  keepMinAge: fc.nat({ max: 40 }).map((hours) => hours * hour),
  keepTags: fc.subarray(['release', 'wip']),
});
const rules: fc.Arbitrary<RetentionRules> = fc
  .record({ policy, maxSnapshots: fc.integer({ min: 1, max: 12 }) }, { requiredKeys: [] })
  .filter((rules) => validatePolicy(rules) === undefined);

function time(age: number): string {
  return new Date(now.getTime() - age * hour).toISOString().replace('.000', '.123456789');
}

function deleted(list: readonly RetentionInput[], rules: RetentionRules, protections = none): Set<string> {
  return new Set(planRetention(list, rules, protections, now).flatMap(({ id, keep }) => (keep ? [] : [id])));
}

const ageOf = (one: RetentionInput) => now.getTime() - Date.parse(one.createdAt);
const isPast = (one: RetentionInput) => ageOf(one) >= 0;

test('every snapshot is decided once, with a reason', () => {
  fc.assert(
    fc.property(history, rules, protections, (list, rules, protections) => {
      const plan = planRetention(list, rules, protections, now);
      expect(plan.map(({ id }) => id).sort()).toEqual(list.map(({ id }) => id).sort());
      for (const { reasons } of plan) {
        expect(reasons.length).toBeGreaterThan(0);
        expect(reasons.every((reason) => reason.length > 0)).toBe(true);
      }
    }),
  );
});

test('never the newest Ready of a worktree, never what is protected, never what a clock hides', () => {
  fc.assert(
    fc.property(history, rules, protections, (list, rules, protections) => {
      const gone = deleted(list, rules, protections);
      const kinds = [...new Set(list.map((one) => one.worktree))].flatMap((worktree) =>
        [true, false].map(
          (partial) => (one: RetentionInput) => one.worktree === worktree && one.partial === partial,
        ),
      );
      for (const isOfKind of kinds) {
        const ready = list.filter((one) => isOfKind(one) && one.ready && isPast(one));
        const newest = Math.min(...ready.map(ageOf));
        if (ready.length > 0)
          expect(ready.some((one) => ageOf(one) === newest && !gone.has(one.id))).toBe(true);
      }
      const { worktrees, pinned, restoring } = protections;
      for (const { head, latest, base } of worktrees) {
        for (const id of [head, latest, base]) expect(gone.has(id ?? '')).toBe(false);
      }
      for (const id of [...pinned, ...restoring]) expect(gone.has(id)).toBe(false);
      for (const one of list.filter((one) => !isPast(one))) expect(gone.has(one.id)).toBe(false);
    }),
  );
});

test('never what the policy keeps, never more than asked', () => {
  fc.assert(
    fc.property(history, rules, protections, (list, rules, protections) => {
      const gone = deleted(list, rules, protections);
      const left = list.filter((one) => !gone.has(one.id));
      const { policy, maxSnapshots } = rules;
      for (const partial of policy ? [true, false] : []) {
        const counts = (one: RetentionInput) =>
          one.ready && one.partial === partial && one.origin !== 'self' && isPast(one);
        const enough = Math.min(policy?.keepMinSnapshots ?? 0, list.filter(counts).length);
        const newest = left
          .filter(counts)
          .sort((a, b) => ageOf(a) - ageOf(b))
          .slice(0, enough);
        expect(newest).toHaveLength(enough);
        // Nothing that went is newer than what was kept for its number.
        for (const one of list.filter((one) => gone.has(one.id) && counts(one))) {
          expect(newest.every((kept) => ageOf(kept) <= ageOf(one))).toBe(true);
        }
      }
      if (policy) {
        for (const one of list.filter((one) => gone.has(one.id))) {
          expect(ageOf(one)).toBeGreaterThanOrEqual(policy.keepMinAge);
          expect(one.tags.some((tag) => policy.keepTags.includes(tag))).toBe(false);
        }
      } else {
        const automatic = (one: RetentionInput) => one.origin === 'auto' && isPast(one);
        expect(list.filter((one) => gone.has(one.id) && !automatic(one))).toEqual([]);
        const good = (one: RetentionInput) => automatic(one) && one.ready;
        const all = list.filter(good).length;
        expect(left.filter(good).length).toBeGreaterThanOrEqual(Math.min(maxSnapshots ?? all, all));
      }
    }),
  );
});

test('what nothing keeps does go', () => {
  fc.assert(
    fc.property(history, rules, (list, rules) => {
      const plan = planRetention(list, rules, none, now);
      const keeps = /newest|createdAt|keepMin|keepTags|no retentionPolicy/;
      for (const { keep, reasons } of plan) if (keep) expect(reasons.every((r) => keeps.test(r))).toBe(true);
      const reasonsOf = new Map(plan.filter(({ keep }) => keep).map(({ id, reasons }) => [id, reasons]));
      const past = list.filter((one) => one.origin === 'auto' && isPast(one));
      const automatic = past.filter(({ id }) => reasonsOf.get(id)?.every((r) => r.includes('maxSnapshots')));
      const { maxSnapshots = 0 } = rules;
      expect(automatic.filter(({ ready }) => ready).length).toBeLessThanOrEqual(maxSnapshots);
      // A damaged one is not older than those.
      for (const damaged of automatic.filter(({ ready }) => !ready)) {
        const newer = past.filter((one) => one.ready && ageOf(one) < ageOf(damaged));
        expect(newer.length).toBeLessThan(maxSnapshots);
      }
      if (rules.policy)
        expect(plan.some(({ reasons }) => reasons.includes('no retentionPolicy is set'))).toBe(false);
    }),
  );
});

test('a policy that keeps more deletes nothing more', () => {
  const more = { snapshots: fc.nat({ max: 5 }), age: fc.nat({ max: 5 }), max: fc.nat({ max: 5 }) };
  fc.assert(
    fc.property(
      history,
      rules,
      protections,
      protections,
      fc.record(more),
      fc.boolean(),
      (list, rules, p, q, add, tag) => {
        const { policy, maxSnapshots } = rules;
        const stricter: RetentionRules = {
          ...(policy && {
            policy: {
              keepMinSnapshots: policy.keepMinSnapshots + add.snapshots,
              keepMinAge: policy.keepMinAge + add.age * hour,
              keepTags: tag ? [...policy.keepTags, 'wip', 'k8s-1'] : policy.keepTags,
            },
          }),
          ...(maxSnapshots !== undefined && add.max < 5 && { maxSnapshots: maxSnapshots + add.max }),
        };
        const protectedMore = {
          worktrees: [...p.worktrees, ...q.worktrees],
          pinned: [...p.pinned, ...q.pinned],
          restoring: [...p.restoring, ...q.restoring],
          unnoted: [...p.unnoted, ...q.unnoted],
        };
        const before = deleted(list, rules, p);
        for (const id of deleted(list, stricter, protectedMore)) expect(before).toContain(id);
      },
    ),
  );
});

test('the order of the input decides nothing, and doing it twice deletes nothing more', () => {
  const shuffled = history.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, rules, protections, ([list, other], rules, protections) => {
      expect(planRetention(other, rules, protections, now)).toEqual(
        planRetention(list, rules, protections, now),
      );
      const gone = deleted(list, rules, protections);
      const left = list.filter((one) => !gone.has(one.id));
      expect([...deleted(left, rules, protections)]).toEqual([]);
    }),
  );
});

test('of those that a workload took of itself, only the newest stay that nothing else keeps', () => {
  fc.assert(
    fc.property(history, rules, protections, fc.nat({ max: 8 }), (list, rules, protections, maxSelf) => {
      const without = deleted(list, rules, protections);
      const plan = planRetention(list, { ...rules, maxSelf }, protections, now);
      const more = plan.filter(({ id, keep }) => !keep && !without.has(id));
      for (const { id, reasons } of more) {
        expect(list.find((one) => one.id === id)?.origin).toBe('self');
        expect(reasons).toEqual([`by the workload itself, beyond the newest ${maxSelf}`]);
      }
      const byNothingElse = plan.filter(
        ({ id, keep, reasons }) =>
          keep && reasons[0]?.startsWith('no ') && list.find((one) => one.id === id)?.origin === 'self',
      );
      expect(byNothingElse.length).toBeLessThanOrEqual(maxSelf);
    }),
  );
});

test('nanoseconds decide which is the newest', () => {
  const one = { worktree: 'main', origin: 'auto', tags: [], ready: true, partial: false };
  const list = [
    { ...one, id: 'z', createdAt: '2026-06-01T10:00:00.123Z' },
    { ...one, id: 'a', createdAt: '2026-06-01T10:00:00.1230005Z' },
  ];
  expect([...deleted(list, { maxSnapshots: 1 })]).toEqual(['z']);
});

describe('more than half at once', () => {
  const plan = (kept: number, gone: number) =>
    Array.from({ length: kept + gone }, (_, i) => ({ id: `s${i}`, keep: i < kept, reasons: ['x'] }));

  test.each([
    [0, 0, false],
    [1, 1, false],
    [1, 2, true],
    [50, 50, false],
    [50, 51, true],
  ])('%i stay, %i go: %s', (kept, gone, mass) => {
    expect(isMassPrune(plan(kept, gone))).toBe(mass);
  });
});

describe('refused', () => {
  const policy = { keepMinSnapshots: 10, keepMinAge: 24 * hour, keepTags: [] };

  test.each<[RetentionRules, string]>([
    [{ policy: { keepMinSnapshots: 0, keepMinAge: 0, keepTags: [] } }, 'retentionPolicy keeps nothing'],
    [{ policy: { ...policy, keepMinSnapshots: -1 } }, 'retentionPolicy.keepMinSnapshots must'],
    [{ policy: { ...policy, keepMinSnapshots: 1.5 } }, 'retentionPolicy.keepMinSnapshots must'],
    [{ policy: { ...policy, keepMinAge: Number.NaN } }, 'retentionPolicy.keepMinAge must'],
    [{ policy: { ...policy, keepMinAge: -1 } }, 'retentionPolicy.keepMinAge must'],
    [{ maxSnapshots: 0 }, 'autoSnapshot.maxSnapshots must'],
  ])('%j', (rules, message) => {
    expect(validatePolicy(rules)).toContain(message);
    expect(() => planRetention([], rules, none, now)).toThrow(RangeError);
  });

  test.each<RetentionRules>([
    {},
    { policy },
    { maxSnapshots: 1 },
    { policy: { keepMinSnapshots: 0, keepMinAge: 0, keepTags: ['release'] } },
    { policy: { keepMinSnapshots: 1, keepMinAge: 0, keepTags: [] } },
  ])('not %j', (rules) => {
    expect(validatePolicy(rules)).toBeUndefined();
  });
});
