// Original file: proto/jvs/agent/v1/agent.proto

import type { Long } from '@grpc/proto-loader';

// Original file: proto/jvs/agent/v1/agent.proto

export const _jvs_agent_v1_DiffEntry_Change = {
  CHANGE_UNSPECIFIED: 'CHANGE_UNSPECIFIED',
  CHANGE_ADDED: 'CHANGE_ADDED',
  CHANGE_REMOVED: 'CHANGE_REMOVED',
  CHANGE_MODIFIED: 'CHANGE_MODIFIED',
} as const;

export type _jvs_agent_v1_DiffEntry_ChangeInput =
  | 'CHANGE_UNSPECIFIED'
  | 0
  | 'CHANGE_ADDED'
  | 1
  | 'CHANGE_REMOVED'
  | 2
  | 'CHANGE_MODIFIED'
  | 3

export type _jvs_agent_v1_DiffEntry_Change = typeof _jvs_agent_v1_DiffEntry_Change[keyof typeof _jvs_agent_v1_DiffEntry_Change]

export interface DiffEntryInput {
  'change'?: (_jvs_agent_v1_DiffEntry_ChangeInput);
  /**
   * bytes that are not UTF-8 are replaced
   */
  'path'?: (string);
  /**
   * file, directory, symlink
   */
  'type'?: (string);
  /**
   * bytes; 0 where there was no file
   */
  'sizeBefore'?: (number | string | Long);
  'sizeAfter'?: (number | string | Long);
}

export interface DiffEntry {
  'change': (_jvs_agent_v1_DiffEntry_Change);
  /**
   * bytes that are not UTF-8 are replaced
   */
  'path': (string);
  /**
   * file, directory, symlink
   */
  'type': (string);
  /**
   * bytes; 0 where there was no file
   */
  'sizeBefore': (number);
  'sizeAfter': (number);
}
