import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { EventInput } from '../../shared/proto/gen/jvs/agent/v1/Event.ts';
import type { WatchEventsRequest } from '../../shared/proto/gen/jvs/agent/v1/WatchEventsRequest.ts';
import type { Events } from '../events.ts';

const mostWatchers = 16;
const mostUnsent = 1000;

/** Sends events until the caller hangs up. One that reads too slowly misses progress first, then is sent away. */
export function watchEvents(
  call: ServerWritableStream<WatchEventsRequest, EventInput>,
  events: Events,
): void {
  if (events.size >= mostWatchers) {
    const details = `${mostWatchers} callers are watching already: end another WatchEvents first`;
    call.emit('error', { code: status.RESOURCE_EXHAUSTED, details });
    return;
  }
  let unsent: EventInput[] = [];
  let flowing = true;
  const flush = () => {
    flowing = true;
    while (flowing) {
      const event = unsent.shift();
      if (!event) return;
      flowing = call.write(event);
    }
  };
  const unsubscribe = events.subscribe((event) => {
    if (!flowing && event.progress) return;
    unsent.push(event);
    if (flowing) flush();
    if (unsent.length <= mostUnsent) return;
    stop();
    call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'Read faster, or watch again' });
  });
  const stop = () => {
    unsubscribe();
    unsent = [];
  };
  call.on('drain', flush);
  call.on('cancelled', stop);
  call.on('close', stop);
}
