import type { EventInput } from '../shared/proto/gen/jvs/agent/v1/Event.ts';
import { Emitter } from './emitter.ts';

/** What happens in this agent, for whoever watches; nothing in the agent depends on it. */
export type AgentEvent = Omit<EventInput, 'event' | 'time'>;

export class Events extends Emitter<[EventInput]> {
  publish(event: AgentEvent): void {
    const now = Date.now();
    this.emit({
      ...event,
      time: { seconds: Math.floor(now / 1000), nanos: (now % 1000) * 1_000_000 },
    });
  }
}
