// node test/record-link.ts vX.Y.Z: keeps what this release's agent and operator say to each other, for the tests of all
// later releases. Once a release, when it is tagged.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Desired } from '../operator/link/agents.ts';
import { eventually } from './kubectl.ts';
import {
  connect,
  onDisk,
  type Recording,
  rawAgent,
  rawOperator,
  realAgent,
  realOperator,
  workspace,
} from './link-ends.ts';

const [release] = process.argv.slice(2);
if (!release || !/^v\d+\.\d+\.\d+$/.test(release)) throw new Error('node test/record-link.ts vX.Y.Z');

const requests = [
  {
    uid: 'good',
    name: 'good',
    worktree: 'main',
    note: 'a note',
    tags: ['a'],
    engine: '',
    expectedParent: '',
  },
];
/** Everything that an operator of this release asks for. */
const desired: Desired = {
  engine: 'copy',
  snapshots: requests,
  restores: [
    {
      uid: 'fork',
      name: 'fork',
      snapshotId: onDisk,
      worktree: '',
      newWorktree: 'side',
      preRestoreSnapshot: false,
    },
  ],
  deletions: [{ uid: 'gone', worktree: 'not-there' }],
  finalSnapshot: true,
  exports: [{ snapshotId: onDisk, tokenSha256: '0'.repeat(64) }],
  schedule: {
    cron: '0 3 * * *',
    timeZone: 'Europe/Berlin',
    tags: ['nightly'],
    suspend: false,
    skipUnchanged: true,
  },
  retention: {
    policy: { keepMinSnapshots: 10, keepMinAgeSeconds: 86_400, keepTags: ['release'] },
    maxAutoSnapshots: 30,
  },
  pinned: [onDisk],
  allowMassPrune: false,
};

async function recordOperator(): Promise<Buffer[]> {
  const operator = await realOperator();
  operator.link.agents.setDesired(workspace, desired);
  const hello = { version: release, workspace: 'ws', pod: 'pod-of-agent', node: 'node-1', session: 's' };
  const messages = [{ hello }, { inventory: { snapshots: [], last: true } }].map(connect.requestSerialize);
  const agent = rawAgent(operator.port, operator.ca, messages);
  await eventually('the operator has said all', async () =>
    agent.heard.some((bytes) => connect.responseDeserialize(bytes).desired?.role === 'ROLE_PRIMARY'),
  );
  await agent.stop();
  await operator.stop();
  return agent.heard;
}

async function recordAgent(answers: readonly Buffer[]): Promise<Buffer[]> {
  const operator = await rawOperator(answers);
  const agent = await realAgent(operator.port, operator.ca);
  await eventually('the agent has said all', async () => {
    const said = operator.heard.map((bytes) => connect.requestDeserialize(bytes));
    return (
      said.some(({ snapshot }) => snapshot?.requestUid === 'good') &&
      said.some(({ status }) => status?.snapshotCount === 2)
    );
  });
  await agent.stop();
  await operator.stop();
  return operator.heard;
}

const operator = await recordOperator();
const agent = await recordAgent(operator);
const base64 = (messages: readonly Buffer[]) => messages.map((bytes) => bytes.toString('base64'));
const recording: Recording = { agent: base64(agent), operator: base64(operator) };
const directory = join(import.meta.dirname, 'fixtures/releases', release);
await mkdir(directory, { recursive: true });
await writeFile(join(directory, 'link.json'), `${JSON.stringify(recording, null, 2)}\n`);
console.log(`${agent.length} messages of the agent, ${operator.length} of the operator`);
process.exit();
