// npm run bench:takeover -- [--workspaces 100] [--rounds 1]: two replicas of the operator, and what becomes of agents and
// requests when the leader goes, in four ways. Writes docs/benchmarks/takeover.md.

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KubeClient } from '../../../operator/runtime/client.ts';
import { leases } from '../../../operator/runtime/resources.ts';
import { changesIn } from '../../changes.ts';
import { root, startInstalled } from '../../integration/kubectl.ts';
import { eventually } from '../../kubectl.ts';
import { Fleet } from '../scale/fleet.ts';
import { placesOf, World } from '../scale/world.ts';
import { Replica } from './replica.ts';
import { page, type Takeover } from './report.ts';
import { LinkService } from './service.ts';

const { values } = parseArgs({
  options: { workspaces: { type: 'string', default: '100' }, rounds: { type: 'string', default: '1' } },
});
const count = Number(values.workspaces);
/** What a replica that comes to itself would still do, it has done by then; milliseconds. */
const afterwardsMs = 15_000;

interface Strike {
  name: string;
  strike: (leader: Replica) => void;
  /** It comes to itself, where it has not ended. */
  undo: (leader: Replica) => void;
}
const strikes: Strike[] = [
  { name: 'stopped (SIGTERM)', strike: (leader) => leader.signal('SIGTERM'), undo: () => {} },
  { name: 'killed (SIGKILL)', strike: (leader) => leader.signal('SIGKILL'), undo: () => {} },
  {
    name: 'paused (SIGSTOP), later woken',
    strike: (leader) => leader.signal('SIGSTOP'),
    undo: (leader) => leader.signal('SIGCONT'),
  },
  {
    name: 'cut off from the API server, later not',
    strike: (leader) => leader.relay.lose(),
    undo: (leader) => leader.relay.heal(),
  },
];

const stop = new AbortController();
// Not the webhook: no Service leads to it here.
const { server } = await startInstalled(['config/manager/operator.yaml'], { audit: true });
const replicas: Replica[] = [];
let fleet: Fleet | undefined;
let service: LinkService | undefined;
try {
  const client = KubeClient.fromKubeconfig(server.kubeconfig);
  for (const [i, name] of ['jvs-operator-a', 'jvs-operator-b'].entries())
    replicas.push(await Replica.start(server, client, name, 18_500 + i * 10));
  await Promise.all(replicas.map((replica) => replica.ready()));
  const ports = new Map(replicas.map(({ pod, link }) => [pod, link]));
  service = await LinkService.start(client, ports, stop.signal);

  const world = new World(client, stop.signal);
  const places = placesOf(count);
  const [first] = places;
  if (!first) throw new Error('no workspaces');
  await world.makeNamespaces(places);
  await world.makeWorkspaces(places);
  const members = await world.makePods(places);
  const ca = await world.authority(first);
  fleet = new Fleet({ port: service.port, ca, snapshots: 5, members, spreadMs: 0 });
  const { welcomed } = fleet;
  const all = async () => fleet?.connected === count;
  await eventually('all are connected', all, 120);

  const lease = async () => {
    const { holderIdentity = '', acquireTime } =
      (await client.get(leases, { namespace: 'jvs-system', name: 'jvs-operator' }))?.spec ?? {};
    const leader = replicas.find(({ pod }) => holderIdentity.startsWith(`${pod}_`));
    return leader && { leader, since: Date.parse(String(acquireTime)) };
  };
  const strikeOnce = async ({ name, strike, undo }: Strike, round: number): Promise<Takeover> => {
    const { leader } = await eventually('one leads', lease);
    // What the start of the other left to do is done.
    await sleep(5_000);
    const at = Date.now();
    strike(leader);
    const id = `${round}-${strikes.findIndex((one) => one.name === name)}`;
    const ready = world.snapshot(first, `asked-${id}`);
    const next = await eventually(
      'the other leads',
      async () => {
        const now = await lease();
        return now && now.leader !== leader ? now : undefined;
      },
      120,
    );
    const back = () => [...welcomed.values()].filter((time) => time > next.since).sort((a, b) => a - b);
    const backAt = await eventually(
      'all agents are back',
      async () => {
        const times = back();
        return times.length === count ? times : undefined;
      },
      180,
    );
    const snapshotSeconds = (await ready) / 1000;
    undo(leader);
    await sleep(afterwardsMs);
    const writes = await changesIn(join(server.dir, 'audit.log'), next.since, leader.pod);
    const stays = (await lease())?.leader === next.leader && (await all());
    await leader.recover();
    const seconds = (time: number) => (time - at) / 1000;
    const takeover = {
      name,
      leads: seconds(next.since),
      back: backAt.map(seconds),
      snapshotSeconds,
      writes,
      stays,
    };
    console.log(takeover);
    return takeover;
  };

  const takeovers: Takeover[] = [];
  for (let round = 0; round < Number(values.rounds); round++)
    for (const one of strikes) takeovers.push(await strikeOnce(one, round));
  writeFileSync(
    join(root, 'docs/benchmarks/takeover.md'),
    page({ workspaces: count, takeovers, afterwardsSeconds: afterwardsMs / 1000, load: loadavg()[0] ?? 0 }),
  );
} finally {
  stop.abort();
  fleet?.stop();
  service?.stop();
  for (const replica of replicas) {
    replica.signal('SIGCONT');
    await replica.stop();
  }
  await server.stop();
}
