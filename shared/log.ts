import { type Logger, pino, stdSerializers } from 'pino';

export type { Logger };

/** One JSON line a record on stdout; `err` (with its causes) is the key of errors. Level by `LOG_LEVEL`. */
export function createLogger(component: string): Logger {
  return pino({
    level: process.env.LOG_LEVEL ?? 'info',
    base: { component },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: stdSerializers.errWithCause },
  });
}
