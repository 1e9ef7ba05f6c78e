// The certificates as they are kept: PEM texts, read and made anew.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { CertificateFacts, Validity } from './plan.ts';

export interface Stored {
  /** The authority that signs, and after it those that clients are still to trust. */
  caBundle: string;
  /** Key of the first of `caBundle`. */
  caKey: string;
  /** The serving certificate and the chain behind it. */
  cert: string;
  key: string;
}

/** undefined when something is missing, damaged, or does not belong together, so that nothing can be signed with it. */
export function factsOf({ caBundle, caKey, cert, key }: Stored): CertificateFacts | undefined {
  try {
    const authority = new X509Certificate(caBundle);
    if (!authority.checkPrivateKey(createPrivateKey(caKey))) return undefined;
    return { authority: validityOf(authority), serving: servingFacts(authority, cert, key) };
  } catch {
    return undefined;
  }
}

function servingFacts(authority: X509Certificate, cert: string, key: string): CertificateFacts['serving'] {
  try {
    const serving = new X509Certificate(cert);
    if (!serving.checkPrivateKey(createPrivateKey(key)) || !serving.verify(authority.publicKey))
      return undefined;
    const names = serving.subjectAltName?.split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
    return { ...validityOf(serving), names: (names ?? []).map(canonicalName) };
  } catch {
    return undefined;
  }
}

/** An IPv6 address can be written in many ways, and is read in another one than people's. One with a zone is no name. */
export const canonicalName = (name: string): string =>
  isIPv6(name) && !name.includes('%') ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;

const validityOf = ({ validFromDate, validToDate }: X509Certificate): Validity => ({
  notBefore: validFromDate,
  notAfter: validToDate,
});

/** Why others' certificates can not be served with; undefined when they can. Nobody's `caKey` is looked for. */
export function problemOf({ caBundle, cert, key }: Stored): string | undefined {
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      return 'tls.key is not that of tls.crt';
  } catch {
    return 'tls.crt and tls.key are no certificate and key in PEM';
  }
  return split(caBundle).length > 0 ? undefined : 'ca.crt holds no authority for clients to trust';
}

/** When the serving certificate ends. */
export const expiryOf = ({ cert }: Stored): Date => new X509Certificate(cert).validToDate;

/** A bundle's certificates, one by one. */
export const split = (bundle: string): string[] =>
  (bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (cert) => `${cert}\n`,
  );
