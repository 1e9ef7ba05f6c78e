// Starts the processes of the simulated agents and tells them what to do.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface Command {
  /** Of the operator's link. */
  port: number;
  /** PEM. */
  ca: string;
  /** On each agent's disk. */
  snapshots: number;
  members: { workspace: string; pod: string; token: string }[];
  /** Milliseconds over which they dial for the first time: pods do not all start at once. */
  spreadMs: number;
}

export interface Report {
  connected: number;
  /** Since the last report: whose agent was welcomed, and when (epoch ms). */
  welcomes: { workspace: string; at: number }[];
}

/** Of one process: with more it takes so long for a round of them all that it misses the operator's pings. */
const perProcess = 250;

export class Fleet {
  /** By process, how many of its agents. */
  readonly #connected = new Map<ChildProcess, number>();
  /** By workspace, when its agent was last welcomed (epoch ms). */
  readonly welcomed = new Map<string, number>();

  constructor(command: Command) {
    for (let at = 0; at < command.members.length; at += perProcess) {
      const child = fork(join(import.meta.dirname, 'agents.ts'), {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      child.on('message', ({ connected, welcomes }: Report) => {
        this.#connected.set(child, connected);
        for (const { workspace, at } of welcomes) this.welcomed.set(workspace, at);
      });
      child.send({ ...command, members: command.members.slice(at, at + perProcess) });
      this.#connected.set(child, 0);
    }
  }

  get connected(): number {
    return [...this.#connected.values()].reduce((sum, one) => sum + one, 0);
  }

  /** Every connection breaks at once, and every agent dials again at once. */
  cut(): void {
    for (const child of this.#connected.keys()) child.send('cut');
  }

  stop(): void {
    for (const child of this.#connected.keys()) child.kill('SIGKILL');
  }
}
