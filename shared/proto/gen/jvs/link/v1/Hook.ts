// Original file: proto/jvs/link/v1/link.proto

import type { HttpHookInput as _jvs_link_v1_HttpHookInput, HttpHook as _jvs_link_v1_HttpHook } from '../../../jvs/link/v1/HttpHook.ts';
import type { ExecHookInput as _jvs_link_v1_ExecHookInput, ExecHook as _jvs_link_v1_ExecHook } from '../../../jvs/link/v1/ExecHook.ts';

export interface HookInput {
  'http'?: (_jvs_link_v1_HttpHookInput | null);
  'exec'?: (_jvs_link_v1_ExecHookInput | null);
  'timeoutSeconds'?: (number);
  'action'?: "http"|"exec";
}

export interface Hook {
  'http'?: (_jvs_link_v1_HttpHook | null);
  'exec'?: (_jvs_link_v1_ExecHook | null);
  'timeoutSeconds': (number);
  'action'?: "http"|"exec";
}
