// The agent, put together: volume, executor, link, debug API and probes, started in this order and stopped in reverse.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../shared/log.ts';
import { startApiServer } from './api/server.ts';
import { AgentService } from './api/service.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { Events } from './events.ts';
import { Executor } from './executor/executor.ts';
import { startHealthServer } from './health/server.ts';
import { notOpen, notReadyFor } from './health/startup.ts';
import { LinkClient, type LinkState } from './link/client.ts';
import { exposition } from './metrics/exposition.ts';
import { gaugesOf } from './metrics/gauges.ts';
import { Meters } from './metrics/meters.ts';
import { toSnapshot } from './snapshot.ts';
import { StateStore } from './state.ts';
import { debugStatus } from './status.ts';
import { Exporter } from './transfer/exporter.ts';
import { InitialSnapshot } from './transfer/initial.ts';
import { Upkeep } from './upkeep/upkeep.ts';
import { diff } from './volume/diff.ts';
import { Volume, type VolumeOptions } from './volume/volume.ts';

export interface Agent {
  readonly debugPort: number;
  readonly healthPort: number;
  /**
   * Lets what runs finish, then takes the final snapshot where one is wanted, within `graceMs`; then aborts it. May be
   * called again with less.
   */
  stop(graceMs: number): Promise<void>;
}

/** The operator shows what agents say that are connected: the last words are worth this wait, milliseconds. */
const farewellMs = 2000;

const noLink: LinkState = {
  connected: false,
  problem: 'No operator is configured: set JVS_LINK_ADDRESS to its host:port',
};

/**
 * Resolves when its ports are open; the repository may take longer. Rejects when a port can not be had. `clock` is what
 * schedule and retention go by.
 */
export async function startAgent(
  config: Config,
  connect: VolumeOptions['connect'],
  log: Logger,
  clock?: Clock,
): Promise<Agent> {
  const { volume: path } = config;
  const volume = new Volume({
    connect,
    engine: config.engine,
    path,
    log,
    prepare: (...args) => initial.bring(...args),
  });
  const events = new Events();
  const meters = new Meters();
  const store = new StateStore(path, log);
  const executor = new Executor({ volume, events, store, pod: config.pod, log, meters });
  const { desired } = executor;
  const wanted = config['initial-snapshot'];
  const initial = new InitialSnapshot({ wanted, path, store, holder: config.pod, desired, log });
  const exporter = new Exporter({ path, port: config['transfer-port'], desired, log });
  const upkeep = new Upkeep({
    workspace: `${config.namespace}/${config.workspace}`,
    worktree: config.worktree,
    store,
    volume,
    executor,
    log,
    meters,
    verify: {
      bytesPerSecond: config['verify-bytes-per-second'],
      intervalMs: config['verify-interval'],
    },
    maintenance: config.maintenance,
    ...(clock && { clock }),
  });
  const address = config['link-address'];
  const link = address
    ? new LinkClient({ config, address, volume, executor, upkeep, exporter, events, log })
    : undefined;

  volume.changes.subscribe((now, before) => {
    if (!before.info) return; // what was there at the start is no news
    for (const descriptor of diff(before.snapshots, now.snapshots).changed.toReversed()) {
      events.publish({ snapshotCreated: toSnapshot(descriptor) });
    }
  });

  // Of a probe that fails, the kubelet's event has no more than the status.
  let said: string | undefined;
  const hear = volume.changes.subscribe((now) => {
    const reason = notReadyFor(config.worktree, now);
    if (reason === undefined) hear();
    else if (now.info && reason !== said) log.warn(reason);
    said = reason;
  });
  const gauges = gaugesOf({
    volume,
    upkeep,
    linked: () => link?.state.connected ?? false,
  });
  const metrics = () => exposition([...meters.all(), ...gauges]);
  const health = await startHealthServer(config['health-port'], {
    started: () => notReadyFor(config.worktree, volume.state),
    ready: () => notOpen(volume.state),
    metrics,
  });
  const service = new AgentService({
    volume,
    executor,
    upkeep,
    status: () => debugStatus(config, volume.state, upkeep.view, executor, link?.state ?? noLink),
  });
  const api = await startApiServer(config['debug-address'], { service, volume, events }).catch(
    async (cause) => {
      await health.close();
      throw new Error(`The debug API can not listen on ${config['debug-address']}`, { cause });
    },
  );

  const stopping = new AbortController();
  const stopLink = new AbortController();
  const volumeRuns = volume.run(stopping.signal);
  const upkeepRuns = upkeep.run(stopping.signal);
  const linkRuns = link?.run(stopLink.signal);
  return {
    debugPort: api.port,
    healthPort: health.port,
    async stop(graceMs) {
      const until = performance.now() + graceMs;
      let news = false;
      // The operator hears how the running request ended before the agent hangs up.
      await executor.stop(graceMs, async () => {
        news = await upkeep.takeFinal();
      });
      if (news && link?.state.connected)
        await sleep(Math.min(farewellMs, Math.max(0, until - performance.now())));
      stopLink.abort();
      await linkRuns;
      await exporter.stop();
      await api.close();
      stopping.abort();
      await upkeepRuns;
      await volumeRuns;
      await health.close();
    },
  };
}
