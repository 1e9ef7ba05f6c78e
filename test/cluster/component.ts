import type { ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { basename } from 'node:path';
import { ended, spawnBound } from './process.ts';
import { say } from './progress.ts';

/** One long-running program of the node: started again when it ends by itself, as a node's init would. */
export class Component {
  readonly name: string;
  readonly #command: readonly string[];
  readonly #log: string;
  #child: ChildProcess | undefined;
  #wanted = false;

  constructor(command: readonly string[], log: string) {
    this.name = basename(command[0] ?? '');
    this.#command = command;
    this.#log = log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#wanted = true;
    if (this.#child) return;
    const [program = '', ...args] = this.#command;
    const log = openSync(this.#log, 'a');
    const child = spawnBound(program, args, { stdio: ['ignore', log, log] });
    this.#child = child;
    void ended(child).then(() => {
      this.#child = undefined;
      if (!this.#wanted) return;
      say(`${this.name} ended (${child.signalCode ?? child.exitCode}), starting it again`);
      setTimeout(() => this.#wanted && this.start(), 1000);
    });
  }

  /** Ends the program and keeps it down until start(). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#wanted = false;
    const child = this.#child;
    if (!child) return;
    child.kill(signal);
    await ended(child);
  }
}
