// What the engine is measured against: shell scripts of one step. `$V` is the folder with `main/`, `$N` the number of
// the step. All end with their data on disk.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { HEAP } from '../native/lane.ts';
import type { Task } from './snapshot.ts';

export interface Measure {
  seconds: number;
  /** KiB, of the largest process. */
  memory: number;
}

export interface Tool {
  name: string;
  prepare?: string;
  /** Of step 1, and of those that follow. */
  first: string;
  repeat: string;
}

export const NATIVE = 'native';
export const JVS = 'jvs 8.2';
export const NATIVE_STARTED = 'native, process start included';

/** `bundle` is snapshot.ts as it would be shipped. */
export function toolsAgainst(bundle: string, jvs: string | undefined): Tool[] {
  const started = `${process.execPath} ${HEAP.join(' ')} ${bundle} $V`;
  const copy =
    'cp -a $V/main $V/copy-$N && find $V/main -type f -print0 | xargs -0 sha256sum > /dev/null && sync -f $V';
  const restic = 'RESTIC_PASSWORD=x restic -q -r $V/restic --no-cache backup $V/main && sync -f $V';
  const snapshot = `cd $V/main && ${jvs} snapshot bench`;
  return [
    { name: NATIVE_STARTED, first: started, repeat: started },
    { name: 'cp -a + sha256sum', first: copy, repeat: copy },
    {
      name: 'rsync --link-dest',
      first: 'rsync -a $V/main/ $V/rsync-$N && sync -f $V',
      repeat: 'rsync -a --link-dest=$V/rsync-$((N-1)) $V/main/ $V/rsync-$N && sync -f $V',
    },
    {
      name: 'restic',
      prepare: 'RESTIC_PASSWORD=x restic -q -r $V/restic init',
      first: restic,
      repeat: restic,
    },
    ...(jvs ? [{ name: JVS, prepare: `cd $V && ${jvs} init .`, first: snapshot, repeat: snapshot }] : []),
  ];
}

/** @throws Error with what the script said */
export function runScript(script: string, volume: string, step: number): Measure {
  const start = performance.now();
  const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%M', 'sh', '-c', script], {
    env: { ...process.env, V: volume, N: String(step) },
    encoding: 'utf8',
  });
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
  return { seconds, memory: Number(stderr.trim().split('\n').at(-1)) };
}

/** The engine in a process that runs already, as in an agent that is at work. */
export class RunningEngine implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(bundle: string, volume: string): Promise<RunningEngine> {
    const child = fork(bundle, [volume], { execArgv: HEAP, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(child, 'message');
    return new RunningEngine(child);
  }

  snapshot(): Promise<Measure> {
    return this.ask('snapshot');
  }

  async ask(task: Task): Promise<Measure> {
    const start = performance.now();
    const answered = new AbortController();
    const { signal } = answered;
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new Error('the engine ended');
    });
    const answer = once(this.#child, 'message', { signal });
    this.#child.send(task);
    try {
      const [memory] = await Promise.race([answer, ended]);
      return { seconds: (performance.now() - start) / 1000, memory };
    } finally {
      answered.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}
