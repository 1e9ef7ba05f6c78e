// The agent as its image starts it: the bundle in dist/, with the flags and the environment of Dockerfile.agent.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'Dockerfile.agent'), 'utf8');
const [, ...entrypoint] = z
  .array(z.string())
  .parse(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? ''));

export const agentMain = join(root, 'dist/agent/main.js');
/** Of node. */
export const agentFlags = entrypoint.filter((argument) => argument.startsWith('--'));
export const agentEnvironment: NodeJS.ProcessEnv = Object.fromEntries(
  (/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? '')
    .split(' ')
    .map((pair) => pair.split('=') as [string, string])
    .filter(([name]) => name !== 'PATH'),
);
agentEnvironment.PATH = process.env.PATH;
