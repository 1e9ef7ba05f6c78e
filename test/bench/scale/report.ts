// One page of docs/benchmarks and its plot.
import { cpus } from 'node:os';
import type { Usage } from './operator.ts';

export interface Phase {
  name: string;
  seconds: number;
  /** Of the operator to the API server. */
  requests: number;
  /** Of the operator: processor seconds in the phase, memory after it. */
  cpu: number;
  usage: Usage;
}

export interface Latency {
  name: string;
  /** Milliseconds each. */
  samples: number[];
}

export interface Results {
  workspaces: number;
  snapshots: number;
  phases: Phase[];
  latencies: Latency[];
  requestsPerSnapshot: number;
  /** MiB that the operator may hold; the budget is half of it. */
  limitMiB: number;
  /** Of the files. */
  name: string;
  /** The machine's load average, the highest after a phase: far above its processors, others were at work. */
  load: number;
  /** Seconds until all were Ready. */
  burst: { count: number; workspaces: number; seconds: number };
}

export const percentile = (samples: readonly number[], p: number): number =>
  [...samples].sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor((p / 100) * samples.length))] ??
  NaN;

const row = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
const fixed = (value: number, digits = 1) => value.toFixed(digits);

export function page(results: Results): string {
  const { workspaces, snapshots, phases, latencies, requestsPerSnapshot, burst, limitMiB, load, name } =
    results;
  const peak = Math.max(...phases.map(({ usage }) => usage.peak));
  const total = (workspaces * snapshots).toLocaleString('en');
  const command = `npm run bench:scale -- --workspaces ${workspaces} --snapshots ${snapshots} --limit ${limitMiB}`;
  return `# ${workspaces.toLocaleString('en')} Workspaces with ${snapshots} snapshots each

${workspaces.toLocaleString('en')} Workspaces, each with a connected agent (simulated, real gRPC over TLS) and
${snapshots} snapshots on its disk – ${total} in all – against a real API server and etcd on the same machine
(${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}), where API server and etcd compete with the operator for the
processor, and so do the agents, at a lower priority; the load average went up to ${fixed(load)}. Written by
\`${command}\`.

| Phase | Seconds | Requests of the operator | Its processor seconds | Its memory after, MiB (anonymous) |
|---|---:|---:|---:|---:|
${phases
  .map(({ name, seconds, requests, cpu, usage }) =>
    row(name, fixed(seconds), requests, fixed(cpu), `${fixed(usage.rss, 0)} (${fixed(usage.anonymous, 0)})`),
  )
  .join('\n')}

The most it ever held: ${fixed(peak, 0)} MiB of its limit of ${limitMiB} MiB; the budget, half of that, is ${peak > limitMiB / 2 ? '**missed**' : 'met'}.

| Latency, ms | p50 | p90 | p99 | n |
|---|---:|---:|---:|---:|
${latencies
  .map(({ name, samples }) =>
    row(name, ...[50, 90, 99].map((p) => fixed(percentile(samples, p))), samples.length),
  )
  .join('\n')}

${burst.count} Snapshots at once over ${burst.workspaces} workspaces: all Ready after ${fixed(burst.seconds, 2)} s.
One Snapshot, from applied to Ready, costs ${fixed(requestsPerSnapshot)} requests to the API server.

![Memory of the operator after each phase](${name}.svg)
`;
}

const width = 760;
const label = 340;
const bar = 18;

/** Bars of the memory after each phase, against the budget of half the limit. */
export function plot(phases: readonly Phase[], limitMiB: number): string {
  const budgetMiB = limitMiB / 2;
  const most = Math.max(budgetMiB, ...phases.map(({ usage }) => usage.rss)) * 1.1;
  const x = (value: number) => label + (value / most) * (width - label - 60);
  const height = phases.length * (bar + 6) + 40;
  const bars = phases.map(({ name, usage }, i) => {
    const y = 10 + i * (bar + 6);
    return `<text x="${label - 8}" y="${y + 13}" text-anchor="end">${name}</text>
<rect x="${label}" y="${y}" width="${(x(usage.rss) - label).toFixed(1)}" height="${bar}" fill="#93c5fd"/>
<rect x="${label}" y="${y}" width="${(x(usage.anonymous) - label).toFixed(1)}" height="${bar}" fill="#2563eb"/>
<text x="${(x(usage.rss) + 6).toFixed(1)}" y="${y + 13}">${usage.rss.toFixed(0)} MiB</text>`;
  });
  const budget = x(budgetMiB).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${bars.join('\n')}
<line x1="${budget}" y1="4" x2="${budget}" y2="${height - 26}" stroke="#dc2626" stroke-dasharray="4"/>
<text x="${budget}" y="${height - 10}" text-anchor="middle" fill="#dc2626">budget ${budgetMiB} MiB</text>
</svg>
`;
}
