import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Operation } from '../testing/crash.ts';
import { manifest, quiet, TestVolume } from '../testing/volume.ts';
import { Layout } from './layout.ts';
import { headOf, listSnapshots } from './reader.ts';

const PROGRAM = fileURLToPath(new URL('../testing/crash.ts', import.meta.url));

/** Ends with the signal that killed it; null where it came to its end. `afterMs` counts from its beginning. */
function crash(
  volume: TestVolume,
  operation: Operation,
  step: string,
  afterMs?: number,
): Promise<string | null> {
  const child = spawn(process.execPath, [PROGRAM, volume.path, JSON.stringify(operation), step], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.once('data', () => {
    if (afterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  return new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
}

async function prepared(): Promise<TestVolume> {
  const volume = new TestVolume();
  const engine = volume.engine();
  await engine.open();
  for (let i = 0; i < 30; i++) writeFileSync(join(volume.main, `file ${i}`), `content ${i}`);
  await engine.snapshot({ worktree: 'main', origin: 'manual', requestTag: 'k8s-before' }, quiet);
  writeFileSync(join(volume.main, 'file 3'), 'changed');
  return volume;
}

const request = { worktree: 'main', origin: 'manual' as const, requestTag: 'k8s-uid' };

/** Opens as the next agent would, repeats the request, and looks at everything. */
async function recovered(volume: TestVolume): Promise<void> {
  const engine = volume.engine();
  await engine.open();
  const layout = new Layout(volume.path);
  expect(readdirSync(layout.intents)).toEqual([]);
  expect(readdirSync(layout.snapshots).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  const made = await engine.snapshot(request, quiet);
  const listed = await listSnapshots(layout);
  expect(listed.filter((d) => d.tags?.includes('k8s-uid')).map((d) => d.snapshot_id)).toEqual([
    made.snapshot_id,
  ]);
  expect(listed).toHaveLength(2);
  expect(made.parent_id).toBe(listed[1]?.snapshot_id);
  expect(await headOf(layout, 'main')).toBe(made.snapshot_id);
  expect(readdirSync(layout.descriptors).sort()).toEqual(listed.map((d) => `${d.snapshot_id}.json`).sort());
  expect(manifest(volume.snapshotPath(made.snapshot_id))).toEqual(manifest(volume.main));
  for (const { snapshot_id } of listed) {
    expect(await engine.verify(snapshot_id, quiet)).toMatchObject({
      descriptorValid: true,
      payloadValid: true,
    });
  }
  const audit = manifest(volume.jvs).find((line) => line.startsWith('audit/audit.jsonl'));
  expect(audit).toBeDefined();
}

test.for([
  'intended',
  'copied',
  'described',
  'synced',
  'renamed',
  'descriptor-written',
  'audited',
  'advanced',
  'published',
])(
  'killed when it has %s, a snapshot is finished or gone, and a repeated request makes exactly one',
  async (step) => {
    using volume = await prepared();
    expect(await crash(volume, { snapshot: request }, step)).toBe('SIGKILL');
    await recovered(volume);
  },
);

test('killed at random times', { timeout: 120_000 }, async () => {
  let killed = 0;
  for (let run = 0; run < 20; run++) {
    using volume = await prepared();
    if (await crash(volume, { snapshot: request }, '', Math.random() * 60)) killed++;
    await recovered(volume);
  }
  expect(killed).toBeGreaterThan(0);
});
