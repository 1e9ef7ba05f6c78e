// When certificates are made anew. Pure.

export interface Lifetimes {
  /** Milliseconds. */
  authority: number;
  /** Milliseconds; less than a third of the authority's, so that one can always be made whole. */
  serving: number;
}

const day = 24 * 60 * 60 * 1000;
export const defaultLifetimes: Lifetimes = { authority: 365 * day, serving: 90 * day };

export interface Validity {
  notBefore: Date;
  notAfter: Date;
}

/** What is kept now. */
export interface CertificateFacts {
  authority: Validity;
  /** Absent when it does not fit its key or is not the authority's. */
  serving?: Validity & { names: readonly string[] };
}

export type CertificatePlan =
  | { action: 'keep' /** Look again then. */; until: Date }
  /** A new serving certificate, or a new authority and a serving certificate of it. */
  | { action: 'serving' | 'authority'; reason: string };

/** Each is renewed after two thirds of its life: the last third is for what may go wrong meanwhile. */
export const renewalOf = ({ notBefore, notAfter }: Validity): Date =>
  new Date(notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3);

/** Nobody takes it until then. */
const notYet = 'it is not valid yet: the clock was ahead when it was made';

/**
 * `current` is undefined when there is nothing, or nothing that can sign. By `others`, the API server's clock, what is
 * not valid here yet may be: then it is the clock here that is behind.
 */
export function planCertificates(
  current: CertificateFacts | undefined,
  names: readonly string[],
  now: Date,
  others = now,
): CertificatePlan {
  if (!current) return { action: 'authority', reason: 'there is none' };
  const { authority, serving } = current;
  const isEarly = ({ notBefore }: Validity) => notBefore > now && notBefore > others;
  if (isEarly(authority)) return { action: 'authority', reason: notYet };
  if (renewalOf(authority) <= now) return { action: 'authority', reason: 'it is due' };
  if (!serving) return { action: 'serving', reason: 'there is none of the authority' };
  const missing = names.filter((name) => !serving.names.includes(name));
  if (missing.length > 0) return { action: 'serving', reason: `it lacks ${missing.join(', ')}` };
  if (isEarly(serving)) return { action: 'serving', reason: notYet };
  if (renewalOf(serving) <= now) return { action: 'serving', reason: 'it is due' };
  const due = Math.min(renewalOf(authority).getTime(), renewalOf(serving).getTime());
  return { action: 'keep', until: new Date(due) };
}
