// Original file: proto/jvs/agent/v1/agent.proto


export interface PlanRetentionRequestInput {
}

export interface PlanRetentionRequest {
}
