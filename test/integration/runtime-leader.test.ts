import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubeClient } from '../../operator/runtime/client.ts';
import { connectByKubeconfig } from '../../operator/runtime/connection.ts';
import { LeaderElection, type LeaderElectionOptions } from '../../operator/runtime/leader.ts';
import { leases } from '../../operator/runtime/resources.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';
import { Relay } from './runtime-relay.ts';

// Long for a machine that is busy, so that nobody loses the lead who is only slow.
const times = { leaseMs: 6000, renewMs: 4000, retryMs: 200 };
const eventually = { timeout: 40_000, interval: 20 };
const log = pino({ level: 'silent' });
const namespace = 'default';
let api: ApiServer;
let client: KubeClient;
const children: ChildProcess[] = [];

beforeAll(async () => {
  api = await startApiServer();
  client = KubeClient.fromKubeconfig(api.kubeconfig);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await api.stop();
});

interface CandidateOptions extends Partial<LeaderElectionOptions> {
  by?: KubeClient;
  wrapUp?: () => Promise<void>;
}

/** A candidate, and from when to when it led. */
class Candidate {
  readonly stop = new AbortController();
  readonly ended: Promise<void>;
  readonly terms: { from: number; to?: number }[] = [];

  constructor(name: string, identity: string, options: CandidateOptions = {}) {
    const { by = client, wrapUp = async () => {}, ...more } = options;
    const election = new LeaderElection(by, { namespace, name, identity, ...times, ...more, log });
    this.ended = election.lead(this.stop.signal, async (signal) => {
      const term: { from: number; to?: number } = { from: performance.now() };
      this.terms.push(term);
      await once(signal, 'abort');
      await wrapUp();
      term.to = performance.now();
    });
  }

  get leads(): boolean {
    const last = this.terms.at(-1);
    return last !== undefined && last.to === undefined;
  }
}

const holder = async (name: string) => (await client.get(leases, { namespace, name }))?.spec?.holderIdentity;

/** A process of its own, to be killed and frozen. It says `leading` and `lost`. */
function spawnCandidate(name: string, identity: string): { child: ChildProcess; said: string[] } {
  const runtime = join(import.meta.dirname, '../../operator/runtime');
  const code = `
    import { pino } from 'pino';
    import { KubeClient } from ${JSON.stringify(join(runtime, 'client.ts'))};
    import { LeaderElection } from ${JSON.stringify(join(runtime, 'leader.ts'))};
    const client = KubeClient.fromKubeconfig(${JSON.stringify(api.kubeconfig)});
    const options = ${JSON.stringify({ namespace, name, identity, ...times })};
    const election = new LeaderElection(client, { ...options, log: pino({ level: 'silent' }) });
    const forever = new AbortController().signal;
    await election.lead(forever, () => new Promise(() => console.log('leading'))).catch((e) => console.log(e.name));
    process.exit(1);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(import.meta.dirname, '../..'),
  });
  children.push(child);
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
  return { child, said };
}

describe('LeaderElection', () => {
  it('lets one of many lead, and the next at once when the first stops, but only after its work has ended', async () => {
    let wrappedUp = false;
    const wrapUp = async () => {
      await expect.poll(() => wrappedUp, eventually).toBe(true);
    };
    const candidates = ['a', 'b', 'c'].map((identity) => new Candidate('many', identity, { wrapUp }));
    await expect.poll(() => candidates.filter(({ leads }) => leads).length, eventually).toBe(1);
    const first = candidates.find(({ leads }) => leads);
    if (!first) throw new Error('nobody leads');
    first.stop.abort();
    // Longer than the lease: the stopping leader goes on renewing it while its work winds up.
    const windingUp = performance.now() + times.leaseMs * 1.5;
    await expect.poll(() => performance.now() > windingUp, eventually).toBe(true);
    expect(candidates.filter(({ terms }) => terms.length > 0)).toEqual([first]);
    wrappedUp = true;
    await first.ended;
    await expect.poll(() => candidates.filter(({ leads }) => leads).length, eventually).toBe(1);
    const from = candidates.find(({ leads }) => leads)?.terms[0]?.from ?? Number.NaN;
    const to = first.terms[0]?.to ?? Number.NaN;
    expect(from).toBeGreaterThan(to);
    expect(from - to, 'without waiting for the lease to expire').toBeLessThan(times.leaseMs);
    for (const { stop } of candidates) stop.abort();
    await Promise.all(candidates.map(({ ended }) => ended));
    expect(await holder('many')).toBeUndefined();
  });

  it('takes the lead from a leader that is cut off after that one has stopped leading, and hands it back', async () => {
    await using relay = await Relay.start(api.url);
    const cutOff = new KubeClient(relay.through(connectByKubeconfig(api.kubeconfig)));
    const first = new Candidate('cut', 'first', { by: cutOff });
    await expect.poll(() => first.leads, eventually).toBe(true);
    const second = new Candidate('cut', 'second');
    relay.lose();
    await expect.poll(() => second.leads, eventually).toBe(true);
    expect(first.terms[0]?.to).toBeLessThan(second.terms[0]?.from ?? Number.NaN);
    relay.heal();
    second.stop.abort();
    await second.ended;
    await expect.poll(() => first.leads, eventually).toBe(true);
    expect(first.terms).toHaveLength(2);
    first.stop.abort();
    await first.ended;
  });

  it('leads again, in the same process, when the API server was away for longer than the lease lasts', async () => {
    const only = new Candidate('outage', 'only');
    await expect.poll(() => only.leads, eventually).toBe(true);
    await api.kill();
    await expect.poll(() => only.leads, eventually).toBe(false);
    await api.restart();
    await expect.poll(() => only.leads, eventually).toBe(true);
    only.stop.abort();
    await only.ended;
  });

  it('leads on after an outage, however long, where others wait for its lease to run out', async () => {
    const first = new Candidate('return', 'first');
    await expect.poll(() => first.leads, eventually).toBe(true);
    // They look more often than it does, and so are there before it.
    const others = ['b', 'c'].map((identity) => new Candidate('return', identity, { retryMs: 20 }));
    const before = (await client.get(leases, { namespace, name: 'return' }))?.spec?.renewTime;
    await expect
      .poll(
        async () => (await client.get(leases, { namespace, name: 'return' }))?.spec?.renewTime,
        eventually,
      )
      .not.toBe(before);
    await api.kill();
    await expect.poll(() => first.leads, eventually).toBe(false);
    await api.restart();
    await expect.poll(() => first.leads, eventually).toBe(true);
    expect(others.flatMap(({ terms }) => terms)).toEqual([]);
    for (const { stop } of [first, ...others]) stop.abort();
    await Promise.all([first, ...others].map(({ ended }) => ended));
  });

  it('stays leader over an outage shorter than it may be', async () => {
    const only = new Candidate('blip', 'only', { leaseMs: 20_000, renewMs: 16_000 });
    await expect.poll(() => only.leads, eventually).toBe(true);
    api.pause();
    // Long enough for one attempt to fail.
    const resumeAt = performance.now() + 9_000;
    await expect.poll(() => performance.now() > resumeAt, eventually).toBe(true);
    api.resume();
    const before = (await client.get(leases, { namespace, name: 'blip' }))?.spec?.renewTime;
    await expect
      .poll(async () => (await client.get(leases, { namespace, name: 'blip' }))?.spec?.renewTime, eventually)
      .not.toBe(before);
    expect(only.terms).toHaveLength(1);
    expect(only.leads).toBe(true);
    only.stop.abort();
    await only.ended;
  });

  it('stops leading at once when somebody has taken the lease, not when it was only labelled', async () => {
    const first = new Candidate('taken', 'first');
    await expect.poll(() => first.leads, eventually).toBe(true);
    const ref = { namespace, name: 'taken' };
    const { spec } = await client.mergePatch(leases, ref, { metadata: { labels: { team: 'x' } } });
    await expect
      .poll(async () => (await client.get(leases, ref))?.spec?.renewTime, eventually)
      .not.toBe(spec?.renewTime);
    expect(first.leads).toBe(true);
    await client.mergePatch(leases, ref, { spec: { holderIdentity: 'somebody' } });
    await expect.poll(() => first.leads, eventually).toBe(false);
    first.stop.abort();
    await first.ended;
    expect(await holder('taken')).toBe('somebody');
  });

  it('takes over after kill -9 of the leader', async () => {
    const { child, said } = spawnCandidate('killed', 'child');
    await expect.poll(() => said, eventually).toEqual(['leading']);
    const next = new Candidate('killed', 'next');
    await expect.poll(() => holder('killed'), eventually).toMatch(/^child_/);
    child.kill('SIGKILL');
    await expect.poll(() => next.leads, eventually).toBe(true);
    expect(await holder('killed')).toMatch(/^next_/);
    next.stop.abort();
    await next.ended;
  });

  it('makes a leader that was frozen, and whose work does not end, give up as soon as it wakes', async () => {
    const { child, said } = spawnCandidate('frozen', 'child');
    await expect.poll(() => said, eventually).toEqual(['leading']);
    const next = new Candidate('frozen', 'next');
    child.kill('SIGSTOP');
    await expect.poll(() => next.leads, eventually).toBe(true);
    child.kill('SIGCONT');
    await expect.poll(() => said, eventually).toEqual(['leading', 'LeadershipLost']);
    expect(next.leads).toBe(true);
    next.stop.abort();
    await next.ended;
  });
});
