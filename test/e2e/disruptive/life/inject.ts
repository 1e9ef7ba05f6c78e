// The faults of a day: each does its harm, waits, and puts right what does not end by itself.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { containerPid, signalContainer, startApiServer, stopApiServer } from '../../../cluster/cluster.ts';
import { output } from '../../../cluster/process.ts';
import { eventually, kubectl } from '../../../kubectl.ts';
import type { FakeClock } from './clock.ts';
import type { Fault } from './day.ts';

export interface Target {
  namespace: string;
  workspace: string;
  /** The node's directory that holds the volume. */
  volume: string;
  /** What its agents read the clock by. */
  clock: FakeClock;
}

/** Resolves when the fault is over and nothing of it is left. */
export async function inject(fault: Fault, target: Target, forMs: number): Promise<void> {
  const { namespace } = target;
  switch (fault) {
    case 'killAgent':
      return signalContainer(namespace, await agentPod(target), 'jvs-agent');
    case 'deletePod':
      await kubectl('-n', namespace, 'delete', 'pod', await agentPod(target), '--wait=false');
      return;
    case 'killOperator':
      return signalContainer('jvs-system', await operatorPod(), 'operator');
    case 'pauseAgent':
      return pause(await containerPid(namespace, await agentPod(target), 'jvs-agent'), forMs);
    case 'pauseOperator':
      return pause(await containerPid('jvs-system', await operatorPod(), 'operator'), forMs);
    case 'cutLink':
      return dropLink(target, [], forMs);
    case 'loseHalfOfTheLink':
      return dropLink(target, ['-m', 'statistic', '--mode', 'random', '--probability', '0.5'], forMs);
    case 'slowLink':
      return slowLink(target, forMs);
    case 'stopApiServer':
      await stopApiServer('kill');
      await sleep(forMs);
      return startApiServer();
    case 'fillVolume':
      return fill(target, forMs);
    case 'skewClock':
      return skew(target, forMs);
  }
}

async function pause(pid: number, forMs: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await sleep(forMs);
  process.kill(pid, 'SIGCONT');
}

const hour = 3600;

/** An hour ahead, then an hour behind, then right again: each step at once, as of a machine that is told the time. */
async function skew(target: Target, forMs: number): Promise<void> {
  const { clock, namespace } = target;
  const pid = await containerPid(namespace, await agentPod(target), 'jvs-agent');
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  if (!maps.includes(clock.library))
    throw new Error('the agent does not go by the clock that is to be wrong');
  await clock.set(hour);
  await sleep(forMs / 2);
  await clock.set(-hour);
  await sleep(forMs / 2);
  await clock.set(0);
}

/** A packet is seconds late, and later when more wait before it: 1 kB/s is all that leaves the pod. */
async function slowLink(target: Target, forMs: number): Promise<void> {
  const pid = await containerPid(target.namespace, await agentPod(target), 'jvs-agent');
  const tc = (action: string, ...more: string[]) =>
    output('nsenter', ['-t', String(pid), '-n', 'tc', 'qdisc', action, 'dev', 'eth0', 'root', ...more]);
  await tc('add', 'tbf', 'rate', '8kbit', 'burst', '1600', 'latency', '20s');
  await sleep(forMs);
  await tc('del');
}

/** In the pod's own network, so that nothing else of the node is cut. */
async function dropLink(target: Target, match: string[], forMs: number): Promise<void> {
  const pid = await containerPid(target.namespace, await agentPod(target), 'jvs-agent');
  const iptables = (action: string) =>
    output('nsenter', [
      ...['-t', String(pid), '-n', 'iptables', action, 'OUTPUT', '-p', 'tcp', '--dport', '8443'],
      ...[...match, '-j', 'DROP'],
    ]);
  await iptables('-A');
  await sleep(forMs);
  await iptables('-D');
}

async function fill({ volume }: Target, forMs: number): Promise<void> {
  const ballast = join(volume, 'ballast');
  for (let size = 2 ** 26; size >= 4096; size /= 2) {
    await writeFile(ballast, Buffer.alloc(size), { flag: 'a' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error;
    });
  }
  await sleep(forMs);
  await rm(ballast);
}

/** The pod that is not going. */
export const agentPod = ({ namespace, workspace }: Target): Promise<string> =>
  runningPod(namespace, `jvs.io/workspace=${workspace}`);

const operatorPod = (): Promise<string> =>
  runningPod('jvs-system', 'app.kubernetes.io/name=jvs-operator,jvs.io/leader=true');

const runningPod = (namespace: string, selector: string): Promise<string> =>
  eventually(`a pod with ${selector} runs`, async () => {
    const { items } = JSON.parse(await kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json'));
    const pod = items.find(
      ({ metadata, status }: { metadata: { deletionTimestamp?: string }; status: { phase: string } }) =>
        !metadata.deletionTimestamp && status.phase === 'Running',
    );
    return pod?.metadata.name as string | undefined;
  });
