// Makes what issuer.ts asks for, once.
import { parentPort, workerData } from 'node:worker_threads';
import { renew } from './renew.ts';

parentPort?.postMessage(await renew(...(workerData as Parameters<typeof renew>)));
