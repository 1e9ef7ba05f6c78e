import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestVolume } from '../testing/volume.ts';

test('a copy that is cancelled leaves no process behind where the agent is the first of its container', () => {
  using volume = new TestVolume();
  volume.makeMain();
  // The first is worth a sync, and the second takes longer than that.
  writeFileSync(join(volume.main, 'a'), Buffer.alloc(10 << 20, 1));
  writeFileSync(join(volume.main, 'b'), Buffer.alloc(100 << 20, 1));
  const code = `
    import { readdirSync, readFileSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';
    const statOf = (pid) => {
      try {
        return readFileSync('/proc/' + pid + '/stat', 'utf8');
      } catch {
        return '(ended) X';
      }
    };
    const { Lane } = await import(${JSON.stringify(new URL('./lane.ts', import.meta.url).href)});
    const syncs = () => readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).flatMap((pid) => {
      const [, name, state] = /\\((.*)\\) (\\w)/.exec(statOf(pid));
      return name === 'sync' ? [state] : [];
    });
    const until = async (is) => { while (!is(syncs())) await setTimeout(20); };
    const lane = new Lane({ volume: ${JSON.stringify(volume.path)}, engine: 'copy', holder: 'test' });
    await lane.call('open');
    const abort = new AbortController();
    const { signal } = abort;
    const call = lane.call('snapshot', { worktree: 'main', origin: 'manual' }, { signal, bytesPerSecond: 10e6 });
    await until((found) => found.length > 0);
    abort.abort();
    const { reason } = await call.catch((error) => error);
    await until((found) => found.every((state) => state === 'Z'));
    await lane[Symbol.asyncDispose]();
    console.log(reason, syncs().length);`;
  const node = [process.execPath, '--input-type=module', '-e', code];
  expect(execFileSync('unshare', ['-pf', '--mount-proc', ...node], { encoding: 'utf8' })).toBe('Aborted 0\n');
});
