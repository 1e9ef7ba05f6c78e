// Has certificates made by a thread that ends with that, and gives back the memory.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { renew } from './renew.ts';
import type { Stored } from './stored.ts';

// Bundled, all files are in one folder and end in .js.
const thread = new URL(
  import.meta.url.endsWith('.ts') ? './issuer-thread.ts' : './issuer.js',
  import.meta.url,
);

/** As `renew`. */
export async function renewInThread(...args: Parameters<typeof renew>): Promise<Stored> {
  const [stored] = await once(new Worker(thread, { workerData: args }), 'message');
  return stored;
}
