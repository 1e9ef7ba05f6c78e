// grpc.health.v1: the standard question, here whether the agent can work with the volume.
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { HealthHandlers } from '../../shared/proto/gen/grpc/health/v1/Health.ts';
import type { HealthCheckRequest } from '../../shared/proto/gen/grpc/health/v1/HealthCheckRequest.ts';
import type { HealthCheckResponseInput } from '../../shared/proto/gen/grpc/health/v1/HealthCheckResponse.ts';
import type { Volume, VolumeState } from '../volume/volume.ts';

const services = new Set(['', 'jvs.agent.v1.Agent']);
const mostWatchers = 16;

const answer = ({ info }: VolumeState) => ({ status: info ? 'SERVING' : 'NOT_SERVING' }) as const;

export function healthHandlers(volume: Volume): HealthHandlers {
  let watchers = 0;
  return {
    Check: ({ request: { service } }, callback) => {
      if (services.has(service)) callback(null, answer(volume.state));
      else
        callback({
          code: status.NOT_FOUND,
          details: `service: ${JSON.stringify(service)} is not served here`,
        });
    },
    Watch: (call: ServerWritableStream<HealthCheckRequest, HealthCheckResponseInput>) => {
      if (!services.has(call.request.service)) {
        call.write({ status: 'SERVICE_UNKNOWN' });
        return; // stays open, as the contract wants it
      }
      if (watchers >= mostWatchers) {
        call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many callers are watching' });
        return;
      }
      watchers++;
      call.write(answer(volume.state));
      const unsubscribe = volume.changes.subscribe((now, before) => {
        if (answer(now).status !== answer(before).status) call.write(answer(now));
      });
      call.once('cancelled', () => {
        watchers--;
        unsubscribe();
      });
    },
  };
}
