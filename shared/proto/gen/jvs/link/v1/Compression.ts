// Original file: proto/jvs/link/v1/link.proto


export interface CompressionInput {
  /**
   * gzip, zstd
   */
  'type'?: (string);
  /**
   * 0 to 9
   */
  'level'?: (number);
}

export interface Compression {
  /**
   * gzip, zstd
   */
  'type': (string);
  /**
   * 0 to 9
   */
  'level': (number);
}
