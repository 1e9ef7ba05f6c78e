// Original file: proto/jvs/agent/v1/agent.proto


export interface GetStatusRequestInput {
}

export interface GetStatusRequest {
}
