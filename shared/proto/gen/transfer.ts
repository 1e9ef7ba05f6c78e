import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AttributeInput as _jvs_transfer_v1_AttributeInput, Attribute as _jvs_transfer_v1_Attribute } from './jvs/transfer/v1/Attribute.ts';
import type { ChunkInput as _jvs_transfer_v1_ChunkInput, Chunk as _jvs_transfer_v1_Chunk } from './jvs/transfer/v1/Chunk.ts';
import type { DataInput as _jvs_transfer_v1_DataInput, Data as _jvs_transfer_v1_Data } from './jvs/transfer/v1/Data.ts';
import type { EntryInput as _jvs_transfer_v1_EntryInput, Entry as _jvs_transfer_v1_Entry } from './jvs/transfer/v1/Entry.ts';
import type { FetchRequestInput as _jvs_transfer_v1_FetchRequestInput, FetchRequest as _jvs_transfer_v1_FetchRequest } from './jvs/transfer/v1/FetchRequest.ts';
import type { ItemInput as _jvs_transfer_v1_ItemInput, Item as _jvs_transfer_v1_Item } from './jvs/transfer/v1/Item.ts';
import type { TransferClient as _jvs_transfer_v1_TransferClient, TransferDefinition as _jvs_transfer_v1_TransferDefinition } from './jvs/transfer/v1/Transfer.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  jvs: {
    transfer: {
      v1: {
        Attribute: MessageTypeDefinition<_jvs_transfer_v1_AttributeInput, _jvs_transfer_v1_Attribute>
        Chunk: MessageTypeDefinition<_jvs_transfer_v1_ChunkInput, _jvs_transfer_v1_Chunk>
        Data: MessageTypeDefinition<_jvs_transfer_v1_DataInput, _jvs_transfer_v1_Data>
        Entry: MessageTypeDefinition<_jvs_transfer_v1_EntryInput, _jvs_transfer_v1_Entry>
        FetchRequest: MessageTypeDefinition<_jvs_transfer_v1_FetchRequestInput, _jvs_transfer_v1_FetchRequest>
        Item: MessageTypeDefinition<_jvs_transfer_v1_ItemInput, _jvs_transfer_v1_Item>
        Transfer: SubtypeConstructor<typeof grpc.Client, _jvs_transfer_v1_TransferClient> & { service: _jvs_transfer_v1_TransferDefinition }
      }
    }
  }
}

