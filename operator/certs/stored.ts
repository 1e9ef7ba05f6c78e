// The certificates as they are kept: PEM texts, read and made anew.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateFacts, Lifetimes, Validity } from './plan.ts';

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
    return { ...validityOf(serving), names: names ?? [] };
  } catch {
    return undefined;
  }
}

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

/** What planCertificates asked for. `stored` must be able to sign when only the serving certificate is made. */
export async function renew(
  action: 'serving' | 'authority',
  stored: Stored | undefined,
  names: readonly string[],
  now: Date,
  lifetimes: Lifetimes,
): Promise<Stored> {
  const { newAuthority, newServing } = await import('./issue.ts');
  const previous = stored && factsOf(stored) ? stored : undefined;
  if (action === 'serving') {
    if (!previous) throw new Error('there is no authority to sign the serving certificate');
    const { caBundle, caKey } = previous;
    const serving = await newServing({ cert: caBundle, key: caKey }, names, now, lifetimes.serving);
    const [, ...chain] = split(previous.cert);
    return {
      ...previous,
      caBundle: valid(split(caBundle), now).join(''),
      cert: [serving.cert, ...valid(chain, now)].join(''),
      key: serving.key,
    };
  }
  const authority = await newAuthority(
    previous && { cert: previous.caBundle, key: previous.caKey },
    now,
    lifetimes.authority,
  );
  const serving = await newServing(authority, names, now, lifetimes.serving);
  const trusted = previous ? valid(split(previous.caBundle), now) : [];
  return {
    caBundle: [authority.cert, ...trusted].join(''),
    caKey: authority.key,
    cert: [serving.cert, ...(authority.cross ? [authority.cross] : [])].join(''),
    key: serving.key,
  };
}

const split = (bundle: string): string[] =>
  (bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (cert) => `${cert}\n`,
  );

const valid = (certs: readonly string[], now: Date): string[] =>
  certs.filter((cert) => new X509Certificate(cert).validToDate > now);
