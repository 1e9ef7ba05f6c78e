// Original file: proto/jvs/agent/v1/agent.proto

import type { TimestampInput as _google_protobuf_TimestampInput, Timestamp as _google_protobuf_Timestamp } from '../../../google/protobuf/Timestamp.ts';
import type { ProgressInput as _jvs_agent_v1_ProgressInput, Progress as _jvs_agent_v1_Progress } from '../../../jvs/agent/v1/Progress.ts';
import type { SnapshotInput as _jvs_agent_v1_SnapshotInput, Snapshot as _jvs_agent_v1_Snapshot } from '../../../jvs/agent/v1/Snapshot.ts';
import type { FailureInput as _jvs_agent_v1_FailureInput, Failure as _jvs_agent_v1_Failure } from '../../../jvs/agent/v1/Failure.ts';
import type { LinkChangeInput as _jvs_agent_v1_LinkChangeInput, LinkChange as _jvs_agent_v1_LinkChange } from '../../../jvs/agent/v1/LinkChange.ts';

export interface EventInput {
  'time'?: (_google_protobuf_TimestampInput | null);
  'progress'?: (_jvs_agent_v1_ProgressInput | null);
  'snapshotCreated'?: (_jvs_agent_v1_SnapshotInput | null);
  'failure'?: (_jvs_agent_v1_FailureInput | null);
  'link'?: (_jvs_agent_v1_LinkChangeInput | null);
  'event'?: "progress"|"snapshotCreated"|"failure"|"link";
}

export interface Event {
  'time': (_google_protobuf_Timestamp | null);
  'progress'?: (_jvs_agent_v1_Progress | null);
  'snapshotCreated'?: (_jvs_agent_v1_Snapshot | null);
  'failure'?: (_jvs_agent_v1_Failure | null);
  'link'?: (_jvs_agent_v1_LinkChange | null);
  'event'?: "progress"|"snapshotCreated"|"failure"|"link";
}
