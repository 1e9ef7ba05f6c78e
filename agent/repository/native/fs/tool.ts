import { spawn } from 'node:child_process';
import { RepositoryError } from '../../repository.ts';

const MESSAGE_BYTES = 2_000;

/**
 * Runs a program to its end, and returns what it wrote to stdout. `codes`: other exit codes are failures.
 * @throws RepositoryError VolumeFull, Internal with what it said
 */
export function runTool(
  command: string,
  args: readonly string[],
  { codes = [0], ...options }: { cwd?: string; env?: NodeJS.ProcessEnv; codes?: readonly number[] } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, MESSAGE_BYTES);
    });
    child.on('error', (cause) =>
      reject(new RepositoryError('Internal', `${command} can not be run: ${cause.message}`, { cause })),
    );
    child.on('close', (code, signal) => {
      if (code !== null && codes.includes(code)) return resolve(output);
      const full = /no space left|disk quota/i.test(said);
      const message = `${command} ${args.join(' ')} ended with ${code ?? signal}: ${said.trim()}`;
      reject(new RepositoryError(full ? 'VolumeFull' : 'Internal', message));
    });
  });
}
