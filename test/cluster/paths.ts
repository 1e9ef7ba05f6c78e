import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The root of this checkout. */
export const checkout = resolve(import.meta.dirname, '../..');

/** What is expensive to make and the same for every checkout: programs, images, package state. */
export const cacheRoot = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'jvs-operator');

/** Names this checkout's cluster: its state directory, cgroups and host name. */
export const clusterId = createHash('sha256').update(checkout).digest('hex').slice(0, 12);

/** Everything of this checkout's cluster that is on a disk. */
export const clusterDir = join(cacheRoot, 'clusters', clusterId);
