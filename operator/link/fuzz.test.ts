// Whatever an agent with a good token sends: the stream ends with a status or goes on, and others are served.
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { AgentMessageInput } from '../../shared/proto/gen/jvs/link/v1/AgentMessage.ts';
import { loadLink } from '../../shared/proto/load.ts';
import { within } from '../../shared/testing.ts';
import type { LinkServer } from './server.ts';
import { helloOf, snapshotOf, TestAgent, type TestCa, testLink } from './testing.ts';

let ca: TestCa;
let link: LinkServer;
const agents: TestAgent[] = [];

beforeAll(async () => {
  // A pod of its own for each stream: whoever breaks the rules is not let in again for a while.
  ({ link, ca } = await testLink());
});
afterAll(async () => {
  for (const agent of agents) agent.close();
  await link.stop();
});

let streams = 0;
function dial(): TestAgent {
  const pod = `pod-${streams++}`;
  const agent = new TestAgent(link.port ?? 0, ca.pem, pod);
  agents.push(agent);
  return agent.send({ hello: helloOf(pod) });
}

const encode = loadLink().Link.service.Connect.requestSerialize;
const known: AgentMessageInput[] = [
  { inventory: { snapshots: [snapshotOf('1-a'), snapshotOf('2-b')], last: true } },
  { snapshot: snapshotOf('3-c', 'uid') },
  { request: { uid: 'uid', phase: 'PHASE_WAITING', reason: 'VolumeFull', message: 'full' } },
  { status: { repositoryId: 'r', snapshotCount: 3, worktrees: [{ name: 'main', headSnapshotId: '3-c' }] } },
  { removed: { id: '1-a', reason: 'Pruned' } },
  { notice: { id: 'n', reason: 'SnapshotMissed', message: 'm' } },
];
/** A real message with some of its bytes changed, cut off or repeated. */
const mutated = fc
  .record({
    message: fc.constantFrom(...known),
    flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    cut: fc.nat(),
    twice: fc.boolean(),
  })
  .map(({ message, flips, cut, twice }) => {
    const bytes = Buffer.from(encode(message));
    for (const [at, value] of flips) bytes[at % bytes.length] = value;
    const kept = bytes.subarray(0, bytes.length - (cut % bytes.length));
    return twice ? Buffer.concat([kept, kept]) : kept;
  });
const frame = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);

it('frames that are not what they should be harm nobody', { timeout: 300_000 }, async () => {
  const witness = dial();
  await vi.waitFor(() => expect(witness.welcome).toBeDefined(), within);
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (frames) => {
      const agent = dial();
      for (const bytes of frames) agent.send(bytes);
      agent.hangUp();
      const { code } = await agent.status;
      const { OK, INVALID_ARGUMENT, INTERNAL, RESOURCE_EXHAUSTED, CANCELLED } = status;
      expect([OK, INVALID_ARGUMENT, INTERNAL, RESOURCE_EXHAUSTED, CANCELLED]).toContain(code);
    }),
    { numRuns: 150 },
  );
  witness.send({ snapshot: snapshotOf('9-z') });
  const seen = () => link.agents.connected('ns/ws').find(({ pod }) => pod === 'pod-0')?.snapshots;
  await vi.waitFor(() => expect([...(seen()?.keys() ?? [])]).toEqual(['9-z']), within);
});
