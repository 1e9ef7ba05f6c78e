import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { within } from '../../shared/testing.ts';
import { quietLog } from '../link/testing.ts';
import type { KubeClient } from './client.ts';
import { EventRecorder } from './events.ts';
import { ManualClock } from './manual-clock.ts';
import type { Event } from './resources.ts';

const object = { apiVersion: 'v1', kind: 'Thing', metadata: { namespace: 'team', name: 'it', uid: 'u' } };

let written: Event[];
let recorder: EventRecorder;
let stop: AbortController;
let running: Promise<void>;
beforeEach(() => {
  written = [];
  stop = new AbortController();
  const create = async (_: unknown, event: Event) => written.push(event);
  const client = { create } as unknown as KubeClient;
  const clock = new ManualClock();
  recorder = new EventRecorder(client, { controller: 'c', instance: 'i', log: quietLog(), clock });
  running = recorder.start(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
});

const heard = (reason: string) => written.filter((event) => event.reason === reason).length;

test('many of one reason leave room for those of another, up to a bound for the object', async () => {
  for (let n = 0; n < 100; n++) recorder.emit(object, 'Warning', 'SnapshotNotRemoved', `number ${n}`);
  for (let n = 0; n < 100; n++) recorder.emit(object, 'Normal', `Other${n}`, 'of its own');
  await vi.waitFor(() => expect(written).toHaveLength(100), within);
  expect(heard('SnapshotNotRemoved')).toBe(25);
});

test('what is told once leaves room for what is repeated', async () => {
  const at = new Date();
  for (let n = 0; n < 300; n++)
    recorder.emitOnce(object, 'Warning', 'SnapshotMissed', `number ${n}`, { id: `${n}`, at });
  recorder.emit(object, 'Warning', 'VolumeFull', 'no room');
  await vi.waitFor(() => expect(heard('VolumeFull')).toBe(1), within);
  expect(heard('SnapshotMissed')).toBe(200);
});
