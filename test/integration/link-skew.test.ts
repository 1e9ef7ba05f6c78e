// What agents and operators of released versions said, said again to those of now.
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import {
  onDisk,
  type Recording,
  rawAgent,
  rawOperator,
  realAgent,
  realOperator,
  workspace,
} from '../link-ends.ts';
import { root } from './kubectl.ts';

const releases = join(root, 'test/fixtures/releases');
const within = { timeout: 40_000, interval: 20 };

async function recordingOf(release: string) {
  const recording = JSON.parse(await readFile(join(releases, release, 'link.json'), 'utf8')) as Recording;
  const bytes = (messages: string[]) => messages.map((message) => Buffer.from(message, 'base64'));
  return { agent: bytes(recording.agent), operator: bytes(recording.operator) };
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test.each(readdirSync(releases))('an agent of %s is understood by this operator', async (release) => {
  const { agent } = await recordingOf(release);
  const operator = await realOperator();
  stops.push(operator.stop);
  stops.push(rawAgent(operator.port, operator.ca, agent).stop);
  await vi.waitFor(() => {
    const known = operator.link.agents.primary(workspace);
    expect(known).toMatchObject({ inventoryComplete: true, pod: 'pod-of-agent' });
    expect([...(known?.snapshots.keys() ?? [])]).toContain(onDisk);
    const made = [...(known?.snapshots.values() ?? [])].map(({ requestUid }) => requestUid);
    expect(made).toContain('good');
    expect(known?.status).toMatchObject({ snapshotCount: 2, effectiveEngine: 'copy', filesystem: 'ext4' });
  }, within);
});

test.each(readdirSync(releases))('an operator of %s is obeyed by this agent', async (release) => {
  const { operator: messages } = await recordingOf(release);
  const operator = await rawOperator(messages);
  stops.push(operator.stop);
  const agent = await realAgent(operator.port, operator.ca);
  stops.push(agent.stop);
  await vi.waitFor(() => {
    expect(agent.client.state.connected).toBe(true);
    const made = agent.repository.disk.find(({ tags }) => tags?.includes('k8s-good'));
    expect(made).toMatchObject({ note: 'a note', tags: expect.arrayContaining(['a']) });
    expect(agent.repository.forks.get('side')).toBe(onDisk);
    expect(agent.executor.role).toBe('ROLE_PRIMARY');
  }, within);
});
