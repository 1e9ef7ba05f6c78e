import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { manifest, TestVolume } from '../testing/volume.ts';

const AGENT = fileURLToPath(new URL('../../main.ts', import.meta.url));

/** What an agent that runs as root has in its container. */
const CAPABILITIES = '-all,+chown,+dac_override,+fowner,+fsetid';

test('as root with few capabilities, owners and all bits of modes are kept, of files of groups that it is not in too', () => {
  using volume = new TestVolume();
  const agent = (...args: string[]) => {
    const limits = ['--clear-groups', '--bounding-set', CAPABILITIES, '--inh-caps', CAPABILITIES];
    const command = [process.execPath, AGENT, ...args, '--volume', volume.path];
    return execFileSync('setpriv', [...limits, '--', ...command], { encoding: 'utf8' }).trim();
  };
  agent('init');
  const at = (...path: string[]) => join(volume.main, ...path);
  const modes = { setuid: 0o4755, setgid: 0o2755, private: 0o600, 'setgid dir': 0o2770, sticky: 0o1777 };
  for (const [name, mode] of Object.entries(modes)) {
    if (/dir|sticky/.test(name)) mkdirSync(at(name));
    else writeFileSync(at(name), name);
    chownSync(at(name), 1234, 2345);
    chmodSync(at(name), mode);
  }
  const before = manifest(volume.main);
  const id = agent('snapshot');
  expect(manifest(volume.snapshotPath(id))).toEqual(before);
  for (const name of Object.keys(modes)) rmSync(at(name), { recursive: true });
  agent('restore', id);
  expect(manifest(volume.main)).toEqual(before);
});
