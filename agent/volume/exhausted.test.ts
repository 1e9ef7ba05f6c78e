// A node whose inotify watches are used up by others: real, in a user namespace that has none.
import { expect, test, vi } from 'vitest';
import { TestVolume } from '../repository/testing/volume.ts';
import { call } from '../testing/call.ts';
import { runProcess, startProcess } from '../testing/process.ts';

const withoutWatches = [
  ...['unshare', '--user', '--map-root-user', 'sh', '-c'],
  ...['echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"', 'sh'],
];

test('an agent that can watch nothing says so once, works, and finds what others did when it scans', {
  timeout: 300_000,
}, async () => {
  using volume = new TestVolume();
  volume.makeMain();
  const agent = await startProcess(volume.path, [], withoutWatches);
  try {
    const { client } = agent;
    // Nothing that makes it look.
    const known = async () => {
      const page = await (await fetch(`http://127.0.0.1:${agent.healthPort}/metrics`)).text();
      return Number(/^jvs_agent_snapshots (\d+)$/m.exec(page)?.[1]);
    };
    const create = () => call(client.createSnapshot.bind(client), {});
    await vi.waitFor(create, { timeout: 20_000, interval: 100 });
    expect(await known()).toBe(1);

    expect(await runProcess(['snapshot', '--volume', volume.path])).toEqual({ code: 0, stderr: '' });
    await vi.waitFor(async () => expect(await known()).toBe(2), { timeout: 60_000, interval: 250 });
    const warnings = agent.said.filter((line) => line.includes('can not be watched, only scanned'));
    expect(warnings).toEqual([expect.stringContaining('ENOSPC')]);
  } finally {
    expect(await agent.end('SIGTERM')).toBe(0);
  }
});
