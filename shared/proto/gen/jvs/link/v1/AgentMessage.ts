// Original file: proto/jvs/link/v1/link.proto

import type { HelloInput as _jvs_link_v1_HelloInput, Hello as _jvs_link_v1_Hello } from '../../../jvs/link/v1/Hello.ts';
import type { InventoryPageInput as _jvs_link_v1_InventoryPageInput, InventoryPage as _jvs_link_v1_InventoryPage } from '../../../jvs/link/v1/InventoryPage.ts';
import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';
import type { RequestUpdateInput as _jvs_link_v1_RequestUpdateInput, RequestUpdate as _jvs_link_v1_RequestUpdate } from '../../../jvs/link/v1/RequestUpdate.ts';
import type { AgentStatusInput as _jvs_link_v1_AgentStatusInput, AgentStatus as _jvs_link_v1_AgentStatus } from '../../../jvs/link/v1/AgentStatus.ts';
import type { SnapshotRemovedInput as _jvs_link_v1_SnapshotRemovedInput, SnapshotRemoved as _jvs_link_v1_SnapshotRemoved } from '../../../jvs/link/v1/SnapshotRemoved.ts';
import type { NoticeInput as _jvs_link_v1_NoticeInput, Notice as _jvs_link_v1_Notice } from '../../../jvs/link/v1/Notice.ts';

export interface AgentMessageInput {
  /**
   * first, once
   */
  'hello'?: (_jvs_link_v1_HelloInput | null);
  /**
   * after Hello, and whenever the agent has lost count
   */
  'inventory'?: (_jvs_link_v1_InventoryPageInput | null);
  /**
   * made or changed since the inventory
   */
  'snapshot'?: (_jvs_agent_v1_SnapshotInput | null);
  'request'?: (_jvs_link_v1_RequestUpdateInput | null);
  /**
   * when it changed, and at least once a minute
   */
  'status'?: (_jvs_link_v1_AgentStatusInput | null);
  /**
   * after the inventory too, for those that went while nobody listened
   */
  'removed'?: (_jvs_link_v1_SnapshotRemovedInput | null);
  'notice'?: (_jvs_link_v1_NoticeInput | null);
  'message'?: "hello"|"inventory"|"snapshot"|"request"|"status"|"removed"|"notice";
}

export interface AgentMessage {
  /**
   * first, once
   */
  'hello'?: (_jvs_link_v1_Hello | null);
  /**
   * after Hello, and whenever the agent has lost count
   */
  'inventory'?: (_jvs_link_v1_InventoryPage | null);
  /**
   * made or changed since the inventory
   */
  'snapshot'?: (_jvs_agent_v1_Snapshot | null);
  'request'?: (_jvs_link_v1_RequestUpdate | null);
  /**
   * when it changed, and at least once a minute
   */
  'status'?: (_jvs_link_v1_AgentStatus | null);
  /**
   * after the inventory too, for those that went while nobody listened
   */
  'removed'?: (_jvs_link_v1_SnapshotRemoved | null);
  'notice'?: (_jvs_link_v1_Notice | null);
  'message'?: "hello"|"inventory"|"snapshot"|"request"|"status"|"removed"|"notice";
}
