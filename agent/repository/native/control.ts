import type { Progress } from '../repository.ts';

/** What an operation in the engine reports to. It is cancelled by killing its process (see lane.ts). */
export interface Control {
  progress(progress: Progress): void;
  /** Named points between the steps of an operation; crash tests end the process there. */
  step(point: string): void;
  /** Called with what was just read; waits when that was too fast. */
  pace?(bytes: number, files: number): void;
}

const REPORT_MS = 100;

/** Counts what an operation has done and keeps its lease alive. */
export class Meter {
  readonly #control: Control;
  readonly #keepAlive: () => void;
  readonly #progress: Progress;
  #reportedAt = 0;

  /** `bytesTotal` is an estimate; `keepAlive` is called often and may throw. */
  constructor(control: Control, bytesTotal: number, keepAlive: () => void = () => {}) {
    this.#control = control;
    this.#keepAlive = keepAlive;
    this.#progress = { bytesDone: 0, bytesTotal, filesDone: 0 };
  }

  add(bytes: number, files: number): void {
    const progress = this.#progress;
    progress.bytesDone += bytes;
    progress.filesDone += files;
    if (progress.bytesTotal > 0) progress.bytesTotal = Math.max(progress.bytesTotal, progress.bytesDone);
    this.#keepAlive();
    this.#control.pace?.(bytes, files);
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    this.#control.progress({ ...progress });
  }
}
