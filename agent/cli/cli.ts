// jvs-agent as a command line: for people in the sidecar, and for use without Kubernetes.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { UsageError } from '../../shared/command-line.ts';
import { Engine } from '../repository/native/engine.ts';
import { asRepositoryError } from '../repository/native/fs/errors.ts';
import { recognize } from '../repository/native/initialize.ts';
import { recognize04 } from '../repository/native/jvs04.ts';
import { Layout } from '../repository/native/layout.ts';
import {
  type EngineName,
  type Implementation,
  type Progress,
  RepositoryError,
  type RepositoryErrorReason,
} from '../repository/repository.ts';
import { type Arguments, type CommandName, parseArguments, usage } from './arguments.ts';
import { run } from './commands.ts';

/** Of the process. */
export const EXIT = { done: 0, failed: 1, usage: 2, integrity: 3 } as const;

export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean };
}

const ENGINES: readonly string[] = ['copy', 'reflink-copy', 'juicefs-clone'] satisfies EngineName[];

const IMPLEMENTATIONS = ['native', 'jvs-8', 'jvs-0.4'] as const satisfies Implementation[];

function isImplementation(text: string): text is Implementation {
  return (IMPLEMENTATIONS as readonly string[]).includes(text);
}

/**
 * Runs one command, `argv` without the program's name, and returns the exit code: 0 done, 1 failed, 2 wrong usage,
 * 3 damaged: tampered with, or unhealthy.
 */
export async function runCli(argv: readonly string[], streams: Streams = process): Promise<number> {
  if (['help', '--help', '-h'].includes(argv[0] ?? '')) {
    streams.stdout.write(usage());
    return EXIT.done;
  }
  let args: Arguments;
  try {
    args = parseArguments(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return wrongUsage(error, argv.includes('--json'), streams);
  }
  if (args.help) {
    streams.stdout.write(usage(args.command));
    return EXIT.done;
  }
  const progress = new ProgressLine(streams, !args.json && streams.stderr.isTTY === true);
  try {
    const { json, text, damaged } = await run(args, openRepository(args, progress));
    progress.end();
    streams.stdout.write(args.json ? `${JSON.stringify(json, null, 2)}\n` : text);
    return damaged ? EXIT.integrity : EXIT.done;
  } catch (error) {
    progress.end();
    if (error instanceof UsageError) return wrongUsage(error, args.json, streams);
    // What only reads goes straight to the files.
    const told = error instanceof Error && 'errno' in error ? asRepositoryError(error, args.command) : error;
    if (!(told instanceof RepositoryError)) throw error;
    const { reason: code, message } = told;
    fail(args.json, { code, message, hint: HINTS[code] }, streams);
    return code === 'DamagedRepository' ? EXIT.integrity : EXIT.failed;
  }
}

const HINTS: Record<RepositoryErrorReason, string> = {
  NotFound: 'jvs-agent history --all lists the snapshots',
  InvalidArgument: 'jvs-agent COMMAND --help explains the options',
  ParentMismatch: 'look at jvs-agent history, and ask again',
  ForeignRepository: 'use another volume, or move .jvs away',
  Unsupported: 'use native, or another binary',
  UnsupportedFormat: 'use the version of jvs that made the repository, or a newer agent',
  DamagedRepository: 'jvs-agent doctor --repair, or restore another snapshot',
  Busy: 'try again when the other writer is done',
  VolumeFull: 'delete snapshots or files, or make the volume larger',
  ReadOnlyVolume: 'mount the volume writable',
  PermissionDenied: 'run as the owner of the files',
  Aborted: 'try again',
  Internal: 'try again; look at the message for the cause',
};

function wrongUsage(error: UsageError, json: boolean, streams: Streams): number {
  fail(
    json,
    { code: 'Usage', message: error.message, hint: 'jvs-agent --help lists commands and options' },
    streams,
  );
  return EXIT.usage;
}

function fail(
  json: boolean,
  problem: { code: string; message: string; hint: string },
  streams: Streams,
): void {
  const line = `jvs-agent: ${problem.message} (${problem.hint})`.replace(/\s*\n\s*/g, ' ');
  streams.stderr.write(`${json ? JSON.stringify(problem) : line}\n`);
}

function openRepository(args: Arguments, progress: ProgressLine) {
  const { env } = process;
  // An empty variable is one that a manifest left open.
  const volume = resolve(args.volume ?? (env.JVS_VOLUME || '/jvs'));
  const name = args.text('engine') ?? (env.JVS_ENGINE || 'copy');
  if (!ENGINES.includes(name)) throw new UsageError(`--engine: ${name} is none of ${ENGINES.join(', ')}`);
  const implementation = args.text('implementation') ?? (env.JVS_IMPLEMENTATION || 'native');
  if (!isImplementation(implementation)) {
    throw new UsageError(`--implementation: ${implementation} is none of ${IMPLEMENTATIONS.join(', ')}`);
  }
  const layout = Layout.of(volume, implementation);
  const making: CommandName = 'init';
  const is04 = layout.generation === '0.4';
  if (args.command !== making && !(is04 ? recognize04(layout) : recognize(layout))) {
    throw new RepositoryError(
      'NotFound',
      `${volume} has no repository: jvs-agent init --volume ${volume} makes one`,
    );
  }
  const engine = new Engine({
    volume,
    engine: name as EngineName,
    implementation,
    ...(env.JVS_BINARY ? { binary: env.JVS_BINARY } : {}),
    holder: env.JVS_POD || hostname(),
  });
  const control = { progress: (done: Progress) => progress.show(args.command, done), step: () => {} };
  return { layout, engine, control };
}

/** One line on a terminal, rewritten in place. */
class ProgressLine {
  readonly #streams: Streams;
  readonly #on: boolean;
  #shown = false;

  constructor(streams: Streams, on: boolean) {
    this.#streams = streams;
    this.#on = on;
  }

  show(command: string, { bytesDone, bytesTotal, filesDone }: Progress): void {
    if (!this.#on) return;
    const of = bytesTotal > 0 ? ` of ${mebibytes(bytesTotal)}` : '';
    this.#streams.stderr.write(`\r\x1b[K${command}: ${mebibytes(bytesDone)}${of}, ${filesDone} entries`);
    this.#shown = true;
  }

  end(): void {
    if (this.#shown) this.#streams.stderr.write('\r\x1b[K');
    this.#shown = false;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
