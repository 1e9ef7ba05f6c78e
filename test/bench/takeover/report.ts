// docs/benchmarks/takeover.md.
import { cpus } from 'node:os';
import { percentile } from '../scale/report.ts';

export interface Takeover {
  /** What was done to the leader. */
  name: string;
  /** Seconds from then until the other had the lease. */
  leads: number;
  /** Seconds from then until each agent was welcomed by the other, ascending. */
  back: number[];
  /** From then, when it was asked for, until the Snapshot was Ready. */
  snapshotSeconds: number;
  /** What the old leader changed after it had lost the lease. */
  writes: string[];
  /** Afterwards the other still led and had all agents. */
  stays: boolean;
}

const row = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
const fixed = (value: number) => value.toFixed(1);

export function page({
  workspaces,
  takeovers,
  afterwardsSeconds,
  load,
}: {
  workspaces: number;
  takeovers: readonly Takeover[];
  afterwardsSeconds: number;
  load: number;
}): string {
  const quiet = takeovers.every(({ writes, stays }) => writes.length === 0 && stays);
  return `# When the leader goes

Two replicas of the operator's bundle with a lease of 15 s, ${workspaces} Workspaces with a connected agent each (simulated,
real gRPC over TLS, with the real agent's keepalive and backoff) behind a stand-in for the Service, and a real API server and
etcd, all on one machine (${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, load average ${fixed(load)} at the end).
Written by \`npm run bench:takeover\`. All times are seconds from the moment when the leader was struck.

| The leader is | The other leads | First agent back | Half | All | One Snapshot, asked for at that moment, is Ready | Changes by the old leader after it lost the lease |
|---|---:|---:|---:|---:|---:|---:|
${takeovers
  .map(({ name, leads, back, snapshotSeconds, writes }) =>
    row(
      ...[name, fixed(leads), fixed(back[0] ?? NaN), fixed(percentile(back, 50)), fixed(back.at(-1) ?? NaN)],
      ...[fixed(snapshotSeconds), writes.length === 0 ? 0 : `**${writes.join(', ')}**`],
    ),
  )
  .join('\n')}

The last column counts what the API server's audit log has of the old leader's pod, until ${afterwardsSeconds} s after it was woken,
reconnected or gone${quiet ? '; the other led on and kept all agents each time' : '. **Not each time did the other lead on with all agents**'}.

Agents that lose their connection come back by a backoff with jitter from one second on, at most 15. Of a leader that is
paused nothing tells them: their keepalive does, after 10 to 40 seconds, and an attempt that ends at the paused one again
is given up after 20. Their schedules go on meanwhile.
`;
}
