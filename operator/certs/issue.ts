// Makes keys and certificates: ECDSA P-256, PEM.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const maxBackdateMs = 5 * 60_000;

export interface KeyPair {
  cert: string;
  key: string;
}

export interface NewAuthority extends KeyPair {
  /**
   * The new authority's key, certified by the previous authority. With it in the chain, a client that trusts only the
   * previous authority trusts the certificates of the new one: so there is no moment of switching to wait for.
   */
  cross?: string;
}

/** `lifetime` in milliseconds, from `now` on. */
export async function newAuthority(
  previous: KeyPair | undefined,
  now: Date,
  lifetime: number,
): Promise<NewAuthority> {
  const keys = await generate();
  const serialNumber = serial();
  // A name of its own: clients look for an issuer by name.
  const name = `CN=jvs-operator CA ${serialNumber.slice(0, 12)}`;
  const extensions = [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name,
    ...validity(now, lifetime),
    signingAlgorithm: algorithm,
    keys,
    extensions,
  });
  const authority = { cert: pem(cert), key: await exportKey(keys.privateKey) };
  if (!previous) return authority;
  const issuer = new x509.X509Certificate(previous.cert);
  if (issuer.notAfter <= now) return authority;
  const cross = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: name,
    issuer: issuer.subject,
    notBefore: cert.notBefore,
    notAfter: issuer.notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(previous.key),
    extensions: [...extensions, await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)],
  });
  return { ...authority, cross: pem(cross) };
}

/** For DNS names and IP addresses; it ends no later than the authority. */
export async function newServing(
  authority: KeyPair,
  names: readonly string[],
  now: Date,
  lifetime: number,
): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(authority.cert);
  const keys = await generate();
  const { notBefore, notAfter } = validity(now, lifetime);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=jvs-operator',
    issuer: issuer.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: pem(cert), key: await exportKey(keys.privateKey) };
}

/** Begins a little early, for clocks that are behind. */
function validity(now: Date, lifetime: number): { notBefore: Date; notAfter: Date } {
  const backdate = Math.min(maxBackdateMs, lifetime / 10);
  return { notBefore: new Date(now.getTime() - backdate), notAfter: new Date(now.getTime() + lifetime) };
}

/** 128 random bits, of a positive number. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const generate = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

const importKey = (key: string) =>
  webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(key), algorithm, false, ['sign']);

const exportKey = async (key: webcrypto.CryptoKey) =>
  `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;

const pem = (cert: x509.X509Certificate) => `${cert.toString('pem')}\n`;
