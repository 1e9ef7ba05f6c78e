// New certificates from those that are kept. Run in a process of its own, see issuer.ts.
import { X509Certificate } from 'node:crypto';
import { newAuthority, newServing } from './issue.ts';
import type { Lifetimes } from './plan.ts';
import { factsOf, type Stored, split } from './stored.ts';

/** What planCertificates asked for. `stored` must be able to sign when only the serving certificate is made. */
export async function renew(
  action: 'serving' | 'authority',
  stored: Stored | undefined,
  names: readonly string[],
  now: Date,
  lifetimes: Lifetimes,
): Promise<Stored> {
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

const valid = (certs: readonly string[], now: Date): string[] =>
  certs.filter((cert) => new X509Certificate(cert).validToDate > now);
