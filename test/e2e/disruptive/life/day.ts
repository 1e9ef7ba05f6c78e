// What happens in a day of a workspace's life, drawn from a seed: the same seed gives the same day. Pure.
import fc from 'fast-check';

/** Of the snapshots there are, `of` picks one, modulo their number; without any, nothing is done. */
export type Work =
  | { do: 'snapshot'; pinned: boolean }
  | { do: 'restore'; of: number }
  | { do: 'fork'; of: number }
  | { do: 'removeFork' }
  | { do: 'delete'; of: number };

export const faults = [
  'killAgent',
  'deletePod',
  'killOperator',
  'pauseAgent',
  'pauseOperator',
  'cutLink',
  'loseHalfOfTheLink',
  'slowLink',
  'stopApiServer',
  'fillVolume',
  'skewClock',
] as const;
export type Fault = (typeof faults)[number];

export interface Round {
  /** One after another. */
  work: Work[];
  fault: Fault;
  /** The fault comes so long after the work begins, and stays so long where it does not end by itself; milliseconds. */
  afterMs: number;
  forMs: number;
}

const snapshot = fc.record({ do: fc.constant('snapshot' as const), pinned: fc.boolean() });
const of = fc.nat(1000);
const work: fc.Arbitrary<Work> = fc.oneof(
  { weight: 3, arbitrary: snapshot },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), of }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fork' as const), of }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeFork' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), of }) },
);

/** Every fault comes up before one comes again. */
export function planDay(seed: number, rounds: number): Round[] {
  const order = fc.sample(fc.shuffledSubarray([...faults], { minLength: faults.length }), {
    seed,
    numRuns: Math.ceil(rounds / faults.length),
  });
  const bodies = fc.sample(
    fc.record({
      work: fc.tuple(snapshot, work, work).map((list): Work[] => list),
      afterMs: fc.nat(1_500),
      forMs: fc.integer({ min: 3_000, max: 20_000 }),
    }),
    { seed, numRuns: rounds },
  );
  return order
    .flat()
    .slice(0, rounds)
    .map((fault, i) => ({ fault, ...(bodies[i] as (typeof bodies)[number]) }));
}
