// One snapshot of main in a process of its own, for the benchmark: node snapshot.ts <volume>
import { Engine } from '../native/engine.ts';

const engine = new Engine({ volume: process.argv[2] ?? '', engine: 'copy', holder: 'bench' });
await engine.open();
await engine.snapshot({ worktree: 'main', origin: 'manual' }, { progress: () => {}, step: () => {} });
