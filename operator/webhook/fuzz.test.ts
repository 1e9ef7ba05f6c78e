// Whatever is posted, there is an answer that says what is wrong, and the next one is as good.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MalformedReview, podReviewer } from './review.ts';
import { agentConfig, podWith, workspaceNamed } from './testing.ts';

const review = podReviewer(
  async (_, name) => (name === 'ws' ? workspaceNamed('ws') : undefined),
  agentConfig,
);
const reviewOf = (object: unknown, rest: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: { uid: 'u', namespace: 'default', object, ...rest },
});
const signal = new AbortController().signal;

/** What a review may end in: an answer, or the word that it was none. */
async function outcome(body: unknown): Promise<'answered' | 'malformed'> {
  try {
    const answer = await review(body, signal);
    expect(answer.response.uid).toBe('u');
    if (!answer.response.allowed) expect(answer.response.status?.message).toBeTruthy();
    return 'answered';
  } catch (error) {
    if (error instanceof MalformedReview) return 'malformed';
    throw error;
  }
}

test('any JSON is no review, or one that is answered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 6 }), async (body) => {
      expect(await outcome(body)).toBe('malformed');
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue(), async (object, extra) => {
      await outcome(reviewOf(object, { options: extra }));
    }),
  );
});

const name = fc.stringMatching(/^[a-z]{1,8}$/);
const text = fc.string({ maxLength: 40, unit: 'binary' });
const container = fc.record(
  {
    name,
    image: text,
    volumeMounts: fc.array(fc.record({ name, mountPath: text }), { maxLength: 3 }),
    env: fc.array(fc.record({ name: text, value: text }), { maxLength: 3 }),
    securityContext: fc.record({ runAsUser: fc.integer() }, { requiredKeys: [] }),
  },
  { requiredKeys: ['name'] },
);
const annotations = fc.dictionary(
  fc.oneof(
    text,
    fc.constantFrom(
      ...['jvs.io/containers', 'jvs.io/agent-run-as', 'jvs.io/agent-image', 'jvs.io/agent-memory-limit'],
      ...['jvs.io/agent-cpu-request', 'jvs.io/agent-log-level', 'jvs.io/worktree', '__proto__'],
    ),
  ),
  text,
  { maxKeys: 5 },
);
const pod = fc
  .record({
    containers: fc.array(container, { minLength: 1, maxLength: 3 }),
    initContainers: fc.array(container, { maxLength: 2 }),
    volumes: fc.array(fc.record({ name }), { maxLength: 3 }),
    annotations,
    workspace: fc.oneof(fc.constant('ws'), text),
  })
  .map(({ annotations, workspace, ...spec }) =>
    podWith(spec as object, { annotations, labels: { 'jvs.io/workspace': workspace } }),
  );

test('every pod of the right shape is admitted or refused with a reason', async () => {
  await fc.assert(
    fc.asyncProperty(pod, async (object) => {
      expect(await outcome(reviewOf(object))).toBe('answered');
    }),
    { numRuns: 300 },
  );
});
