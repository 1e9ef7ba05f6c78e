// Tells early that somebody has changed the repository. Only a hint: network filesystems send nothing and the kernel's
// watches run out, so the scan is the truth.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../shared/log.ts';

/** Few and small; what is below `main/` is never watched. */
const folders = ['descriptors', 'worktrees', 'worktrees/main'];
/** Changes come in groups. */
const waitMs = 300;

export interface HintOptions {
  /** Root of the volume. */
  path: string;
  onHint: () => void;
  log: Logger;
  watch?: typeof watch;
}

/** Gives up what can not be watched, and says so once. Returns the function that ends it. */
export function watchForHints({ path, onHint, log, watch: start = watch }: HintOptions): () => void {
  const watchers = new Set<FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let said = false;
  const giveUp = (err: unknown) => {
    if (said) return;
    said = true;
    log.warn({ err }, 'changes by others are seen later: the volume can not be watched, only scanned');
  };
  for (const folder of folders) {
    try {
      const watcher = start(join(path, '.jvs', folder), { persistent: false }, () => {
        timer ??= setTimeout(() => {
          timer = undefined;
          onHint();
        }, waitMs);
      });
      watchers.add(watcher);
      watcher.on('error', (error) => {
        giveUp(error);
        watcher.close();
        watchers.delete(watcher);
      });
    } catch (error) {
      giveUp(error);
    }
  }
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
