// Operator and agent as their images start them: the bundle in dist/, with the flags and the environment of Dockerfiles.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const root = join(import.meta.dirname, '../..');

export interface Image {
  main: string;
  /** Of node. */
  flags: string[];
  environment: NodeJS.ProcessEnv;
}

export const agentImage = imageOf('agent');
export const operatorImage = imageOf('operator');

function imageOf(name: string): Image {
  const dockerfile = readFileSync(join(root, `Dockerfile.${name}`), 'utf8');
  const [, ...entrypoint] = z
    .array(z.string())
    .parse(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? ''));
  const pairs = (/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? '').split(' ');
  return {
    main: join(root, `dist/${name}/main.js`),
    flags: entrypoint.filter((argument) => argument.startsWith('--')),
    environment: {
      ...Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string])),
      PATH: process.env.PATH,
    },
  };
}
