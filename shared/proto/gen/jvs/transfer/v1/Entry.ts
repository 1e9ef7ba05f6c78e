// Original file: proto/jvs/transfer/v1/transfer.proto

import type { AttributeInput as _jvs_transfer_v1_AttributeInput, Attribute as _jvs_transfer_v1_Attribute } from '../../../jvs/transfer/v1/Attribute.ts';
import type { Long } from '@grpc/proto-loader';

// Original file: proto/jvs/transfer/v1/transfer.proto

export const _jvs_transfer_v1_Entry_Kind = {
  KIND_UNSPECIFIED: 'KIND_UNSPECIFIED',
  /**
   * is made; what it has beside its name comes as KIND_LEAVE
   */
  KIND_DIRECTORY: 'KIND_DIRECTORY',
  KIND_FILE: 'KIND_FILE',
  KIND_SYMLINK: 'KIND_SYMLINK',
  /**
   * one more name of a file that was sent
   */
  KIND_HARD_LINK: 'KIND_HARD_LINK',
  /**
   * nothing more is put into this directory
   */
  KIND_LEAVE: 'KIND_LEAVE',
} as const;

export type _jvs_transfer_v1_Entry_KindInput =
  | 'KIND_UNSPECIFIED'
  | 0
  /**
   * is made; what it has beside its name comes as KIND_LEAVE
   */
  | 'KIND_DIRECTORY'
  | 1
  | 'KIND_FILE'
  | 2
  | 'KIND_SYMLINK'
  | 3
  /**
   * one more name of a file that was sent
   */
  | 'KIND_HARD_LINK'
  | 4
  /**
   * nothing more is put into this directory
   */
  | 'KIND_LEAVE'
  | 5

export type _jvs_transfer_v1_Entry_Kind = typeof _jvs_transfer_v1_Entry_Kind[keyof typeof _jvs_transfer_v1_Entry_Kind]

export interface EntryInput {
  'kind'?: (_jvs_transfer_v1_Entry_KindInput);
  /**
   * below the snapshot's root, which is the empty one
   */
  'path'?: (Buffer | Uint8Array | string);
  /**
   * of a symlink; of a hard link the path of the first name
   */
  'target'?: (Buffer | Uint8Array | string);
  'mode'?: (number);
  'uid'?: (number);
  'gid'?: (number);
  /**
   * Unix time in nanoseconds, decimal
   */
  'mtimeNs'?: (string);
  /**
   * of a file
   */
  'size'?: (number | string | Long);
  /**
   * pages of zeros are not stored
   */
  'sparse'?: (boolean);
  'attributes'?: (_jvs_transfer_v1_AttributeInput)[];
}

export interface Entry {
  'kind': (_jvs_transfer_v1_Entry_Kind);
  /**
   * below the snapshot's root, which is the empty one
   */
  'path': (Buffer);
  /**
   * of a symlink; of a hard link the path of the first name
   */
  'target': (Buffer);
  'mode': (number);
  'uid': (number);
  'gid': (number);
  /**
   * Unix time in nanoseconds, decimal
   */
  'mtimeNs': (string);
  /**
   * of a file
   */
  'size': (number);
  /**
   * pages of zeros are not stored
   */
  'sparse': (boolean);
  'attributes': (_jvs_transfer_v1_Attribute)[];
}
