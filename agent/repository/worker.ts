// Entry of the engine's worker thread. See native/lane.ts for the other side.
import { parentPort, workerData } from 'node:worker_threads';
import { serve } from './native/lane.ts';

if (!parentPort) throw new Error('this file is the entry of a worker thread');
serve(parentPort, workerData);
