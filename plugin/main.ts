// kubectl-jvs, and by the name of kubectl_complete-jvs what completes it.
import { basename } from 'node:path';
import { runCli, runCompletion } from './cli.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0); // as when piped into head
});

const [, path = '', ...words] = process.argv;
const { stdout, stderr, env } = process;
const run = basename(path).startsWith('kubectl_complete-') ? runCompletion : runCli;
process.exitCode = await run(words, { stdout, stderr, env, now: () => new Date() });
