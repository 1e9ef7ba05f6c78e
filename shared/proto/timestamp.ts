import type { Timestamp } from './gen/google/protobuf/Timestamp.ts';

/** RFC 3339 with up to nine fraction digits → protobuf, nothing lost. @throws RangeError when it is no time */
export function toTimestamp(rfc3339: string): Timestamp {
  const seconds = Math.floor(Date.parse(rfc3339.replace(/\.\d+/, '')) / 1000);
  if (Number.isNaN(seconds)) throw new RangeError(`not a time: ${rfc3339}`);
  const fraction = /\.(\d{1,9})/.exec(rfc3339)?.[1] ?? '';
  return { seconds, nanos: Number(fraction.padEnd(9, '0')) };
}

/** Protobuf → RFC 3339 in UTC, whole seconds as Kubernetes' metav1.Time has them. */
export function toRfc3339(timestamp: Pick<Timestamp, 'seconds'>): string {
  return new Date(Number(timestamp.seconds) * 1000).toISOString().replace('.000Z', 'Z');
}
