// Starts the process of the simulated agents and tells it what to do.
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
}

export interface Report {
  connected: number;
  /** Since the last report: whose agent was welcomed, and when (epoch ms). */
  welcomes: { workspace: string; at: number }[];
}

export class Fleet {
  readonly #child: ChildProcess;
  connected = 0;
  /** By workspace, when its agent was last welcomed (epoch ms). */
  readonly welcomed = new Map<string, number>();

  constructor(command: Command) {
    this.#child = fork(join(import.meta.dirname, 'agents.ts'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (report: Report) => {
      this.connected = report.connected;
      for (const { workspace, at } of report.welcomes) this.welcomed.set(workspace, at);
    });
    this.#child.send(command);
  }

  /** Every connection breaks at once, and every agent dials again at once. */
  cut(): void {
    this.#child.send('cut');
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
