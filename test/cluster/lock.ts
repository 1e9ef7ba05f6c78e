import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs `body` while holding an exclusive lock on `file`, waiting for other holders first.
 * The kernel holds it (flock) by a child that ends with our end of its pipe, so no crash leaves it taken.
 */
export async function withLock<T>(file: string, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('exit', (code) => reject(new Error(`flock ${file}: exit ${code}`)));
  });
  try {
    return await body();
  } finally {
    const released = new Promise((resolve) => holder.once('exit', resolve));
    holder.stdin.end();
    await released;
  }
}
