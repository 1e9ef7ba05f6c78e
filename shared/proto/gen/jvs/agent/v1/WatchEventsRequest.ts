// Original file: proto/jvs/agent/v1/agent.proto


export interface WatchEventsRequestInput {
}

export interface WatchEventsRequest {
}
