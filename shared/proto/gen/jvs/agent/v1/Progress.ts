// Original file: proto/jvs/agent/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface ProgressInput {
  /**
   * snapshot, verify
   */
  'operation'?: (string);
  'requestUid'?: (string);
  'worktree'?: (string);
  'bytesDone'?: (number | string | Long);
  'bytesTotal'?: (number | string | Long);
  'filesDone'?: (number | string | Long);
}

export interface Progress {
  /**
   * snapshot, verify
   */
  'operation': (string);
  'requestUid': (string);
  'worktree': (string);
  'bytesDone': (number);
  'bytesTotal': (number);
  'filesDone': (number);
}
