/** PEM throughout. */
export interface Certificates {
  /** Private key of the serving certificate. */
  key: string;
  /** The serving certificate, followed by what older clients need to trust it. */
  cert: string;
  /** The authorities that clients are to trust. */
  caBundle: string;
  /** When the serving certificate ends. */
  expiresAt: Date;
}

export interface CertificateSource {
  /** Throws before there are any. */
  current(): Certificates;
  /** Called after every change; returns what ends that. */
  onChange(handler: () => void): () => void;
}
