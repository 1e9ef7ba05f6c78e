// Original file: proto/jvs/transfer/v1/transfer.proto

import type { EntryInput as _jvs_transfer_v1_EntryInput, Entry as _jvs_transfer_v1_Entry } from '../../../jvs/transfer/v1/Entry.ts';
import type { DataInput as _jvs_transfer_v1_DataInput, Data as _jvs_transfer_v1_Data } from '../../../jvs/transfer/v1/Data.ts';

export interface ItemInput {
  'entry'?: (_jvs_transfer_v1_EntryInput | null);
  /**
   * of the file that the entry before it names
   */
  'data'?: (_jvs_transfer_v1_DataInput | null);
  'item'?: "entry"|"data";
}

export interface Item {
  'entry'?: (_jvs_transfer_v1_Entry | null);
  /**
   * of the file that the entry before it names
   */
  'data'?: (_jvs_transfer_v1_Data | null);
  'item'?: "entry"|"data";
}
