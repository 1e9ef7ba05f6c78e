import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of this build; stamped by hack/build.ts, read from package.json when the sources run directly. */
export const version: string =
  process.env.JVS_VERSION ??
  JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version;
