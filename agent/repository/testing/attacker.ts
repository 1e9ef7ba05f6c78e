// Swaps entries of a payload for links to a place outside, and back, as fast as it can.
//   node attacker.ts <payload> <secret directory>
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [payload = '', secret = ''] = process.argv.slice(2);
const at = (...path: string[]) => join(payload, ...path);

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // A restore took it away: the next round makes it again.
  }
}

process.stdout.write('ready');
for (let round = 0; ; round++) {
  attempt(() => mkdirSync(at('dir', 'sub'), { recursive: true }));
  attempt(() => writeFileSync(at('dir', 'file'), `own ${round}`));
  attempt(() => writeFileSync(at('file'), `own ${round}`));
  attempt(() => symlinkSync(secret, at('link')));
  attempt(() => symlinkSync(join(secret, 'file'), at('file link')));
  for (let i = 0; i < 50; i++) {
    attempt(() => renameSync(at('dir'), at('aside')));
    attempt(() => renameSync(at('link'), at('dir')));
    attempt(() => renameSync(at('dir'), at('link')));
    attempt(() => renameSync(at('aside'), at('dir')));
    attempt(() => renameSync(at('file'), at('aside file')));
    attempt(() => renameSync(at('file link'), at('file')));
    attempt(() => renameSync(at('file'), at('file link')));
    attempt(() => renameSync(at('aside file'), at('file')));
  }
  for (const name of ['dir', 'aside', 'link', 'file', 'aside file', 'file link']) {
    if (round % 20 === 0) attempt(() => rmSync(at(name), { recursive: true, force: true }));
  }
}
