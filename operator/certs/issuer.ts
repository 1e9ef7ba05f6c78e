// Has certificates made by a process that ends with that: the library that makes them takes 20 MB.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { renew } from './renew.ts';
import type { Stored } from './stored.ts';

export type Outcome = { made: Stored } | { error: Error };

// Bundled, all files are in one folder and end in .js.
const program = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './issuer-process.ts' : './issuer.js', import.meta.url),
);

/** As `renew`. */
export function renewElsewhere(...args: Parameters<typeof renew>): Promise<Stored> {
  const { promise, resolve, reject } = Promise.withResolvers<Stored>();
  const child = fork(program, { execArgv: [], serialization: 'advanced' });
  child.once('message', (outcome: Outcome) => {
    if ('made' in outcome) resolve(outcome.made);
    else reject(outcome.error);
  });
  child.once('error', reject);
  child.once('exit', (code, signal) =>
    reject(new Error(`the process that makes certificates ended (${signal ?? code})`)),
  );
  child.send(args, (error) => error && reject(error));
  return promise;
}
