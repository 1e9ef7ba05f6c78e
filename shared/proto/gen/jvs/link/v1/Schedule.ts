// Original file: proto/jvs/link/v1/link.proto

import type { Long } from '@grpc/proto-loader';

/**
 * spec.autoSnapshot
 */
export interface ScheduleInput {
  /**
   * five fields, or a macro
   */
  'cron'?: (string);
  /**
   * IANA
   */
  'timeZone'?: (string);
  /**
   * of its template
   */
  'tags'?: (string)[];
  'suspend'?: (boolean);
  'skipUnchanged'?: (boolean);
  'startingDeadlineSeconds'?: (number | string | Long);
  '_startingDeadlineSeconds'?: "startingDeadlineSeconds";
}

/**
 * spec.autoSnapshot
 */
export interface Schedule {
  /**
   * five fields, or a macro
   */
  'cron': (string);
  /**
   * IANA
   */
  'timeZone': (string);
  /**
   * of its template
   */
  'tags': (string)[];
  'suspend': (boolean);
  'skipUnchanged': (boolean);
  'startingDeadlineSeconds'?: (number);
  '_startingDeadlineSeconds'?: "startingDeadlineSeconds";
}
