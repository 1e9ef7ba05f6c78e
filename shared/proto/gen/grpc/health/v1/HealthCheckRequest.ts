// Original file: proto/grpc/health/v1/health.proto


export interface HealthCheckRequestInput {
  /**
   * empty: the whole server
   */
  'service'?: (string);
}

export interface HealthCheckRequest {
  /**
   * empty: the whole server
   */
  'service': (string);
}
