import { setImmediate as settled } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { WorkQueue } from './queue.ts';

type Step =
  | { do: 'add'; key: string }
  | { do: 'addAfter'; key: string; ms: number }
  | { do: 'take' }
  | { do: 'done'; nth: number }
  | { do: 'advance'; ms: number };

const key = fc.constantFrom('a', 'b', 'c');
const ms = fc.integer({ min: 0, max: 50 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key }),
  fc.record({ do: fc.constant('addAfter' as const), key, ms }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), nth: fc.nat(5) }),
  fc.record({ do: fc.constant('advance' as const), ms }),
);

/** What the queue promises, said with a map: a key is due at the earliest time asked for since it was last taken. */
class Model {
  readonly clock = new ManualClock();
  readonly queue = new WorkQueue(this.clock);
  readonly due = new Map<string, number>();
  readonly inHand: string[] = [];
  waiting = 0;

  ask(key: string, ms: number): void {
    const due = this.clock.now() + ms;
    this.due.set(key, Math.min(due, this.due.get(key) ?? due));
  }

  async apply(step: Step): Promise<void> {
    if (step.do === 'add') {
      this.ask(step.key, 0);
      this.queue.add(step.key);
    } else if (step.do === 'addAfter') {
      this.ask(step.key, step.ms);
      this.queue.addAfter(step.key, step.ms);
    } else if (step.do === 'advance') this.clock.advance(step.ms);
    else if (step.do === 'done') {
      const [finished] = this.inHand.splice(step.nth, 1);
      if (finished !== undefined) this.queue.done(finished);
    } else {
      this.waiting += 1;
      void this.queue.take().then((taken) => this.taken(taken));
    }
    await settled();
    for (const [key, due] of this.due)
      if (this.waiting > 0 && !this.inHand.includes(key))
        expect(due, `${key} is due, free and a taker waits, but it was not handed out`).toBeGreaterThan(
          this.clock.now(),
        );
  }

  taken(key: string | undefined): void {
    if (key === undefined) throw new Error('the queue is not closed');
    this.waiting -= 1;
    expect(this.inHand, 'handed out twice at a time').not.toContain(key);
    expect(this.due.get(key) ?? Number.NaN, `${key} is handed out early or unasked`).toBeLessThanOrEqual(
      this.clock.now(),
    );
    this.due.delete(key);
    this.inHand.push(key);
  }
}

describe('WorkQueue', () => {
  it('hands out every key that was asked for, when it is due and not before, once at a time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80 }), async (steps) => {
        const model = new Model();
        for (const step of steps) await model.apply(step);
        // Given time and hands, nothing is left over.
        await model.apply({ do: 'advance', ms: 1000 });
        while (model.inHand.length > 0) await model.apply({ do: 'done', nth: 0 });
        while (model.due.size > 0) {
          await model.apply({ do: 'take' });
          await model.apply({ do: 'done', nth: 0 });
        }
        expect(model.queue.depth).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('hands out in the order of arrival', async () => {
    const queue = new WorkQueue(new ManualClock());
    for (const key of ['a', 'b', 'a', 'c']) queue.add(key);
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual(['a', 'b', 'c']);
  });

  it('sends takers home while it is closed, and hands out everything that waited when it is opened', async () => {
    const clock = new ManualClock();
    const queue = new WorkQueue(clock);
    queue.add('in hand');
    await queue.take();
    queue.add('in hand');
    const taker = queue.take();
    queue.addAfter('delayed', 1000);
    queue.close();
    expect(clock.timers).toBe(0);
    queue.add('new');
    queue.addAfter('delayed and new', 1000);
    queue.done('in hand');
    expect(await taker).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    queue.open();
    const taken = [await queue.take(), await queue.take(), await queue.take(), await queue.take()];
    expect(taken).toEqual(['delayed', 'new', 'delayed and new', 'in hand']);
    expect(queue.depth).toBe(0);
  });
});
