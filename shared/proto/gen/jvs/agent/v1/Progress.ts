// Original file: proto/jvs/agent/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

export interface ProgressInput {
  /**
   * snapshot, restore, fork, delete
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
   * snapshot, restore, fork, delete
   */
  'operation': (string);
  'requestUid': (string);
  'worktree': (string);
  'bytesDone': (number);
  'bytesTotal': (number);
  'filesDone': (number);
}
