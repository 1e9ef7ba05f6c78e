import { type Logger, pino, stdSerializers } from 'pino';

export type { Logger };

/** One JSON line a record on stdout; `err` (with its causes) is the key of errors. */
export function createLogger(component: string, level = 'info'): Logger {
  return pino({
    level,
    base: { component },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: stdSerializers.errWithCause },
  });
}
