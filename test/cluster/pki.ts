import 'reflect-metadata';
import { randomBytes, type webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const lifetime = 365 * 24 * 3600 * 1000;

/** One certificate authority and the certificates that it issued, as PEM files in `dir`. */
export interface Pki {
  dir: string;
  caFile: string;
  /** Issues a certificate for server and client use: files `<name>.crt` and `<name>.key`. */
  issue(name: string, subject: Subject, hosts?: readonly string[]): Promise<KeyPairFiles>;
  /** A key pair without certificate, as for signing ServiceAccount tokens. */
  keyPair(name: string): Promise<KeyPairFiles>;
}

/** Who the API server takes the holder of a certificate for. */
export interface Subject {
  user: string;
  group?: string;
}

export interface KeyPairFiles {
  /** The certificate, or the bare public key. */
  publicFile: string;
  keyFile: string;
}

export async function createPki(dir: string): Promise<Pki> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const keys = await generate();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=jvs-local-cluster',
    ...validity(),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const caFile = join(dir, 'ca.crt');
  await writeFile(caFile, `${ca.toString('pem')}\n`);
  await writePrivateKey(join(dir, 'ca.key'), keys.privateKey);

  return {
    dir,
    caFile,
    async issue(name, subject, hosts = []) {
      const own = await generate();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: [{ CN: [subject.user] }, ...(subject.group ? [{ O: [subject.group] }] : [])],
        issuer: ca.subject,
        ...validity(),
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        publicKey: own.publicKey,
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
          ...(hosts.length > 0 ? [new x509.SubjectAlternativeNameExtension(hosts.map(generalName))] : []),
        ],
      });
      const publicFile = join(dir, `${name}.crt`);
      await writeFile(publicFile, `${certificate.toString('pem')}\n`);
      return { publicFile, keyFile: await writePrivateKey(join(dir, `${name}.key`), own.privateKey) };
    },
    async keyPair(name) {
      const own = await generate();
      const publicFile = join(dir, `${name}.pub`);
      const spki = await crypto.subtle.exportKey('spki', own.publicKey);
      await writeFile(publicFile, `${x509.PemConverter.encode(spki, 'PUBLIC KEY')}\n`);
      return { publicFile, keyFile: await writePrivateKey(join(dir, `${name}.key`), own.privateKey) };
    },
  };
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

/** From an hour ago: a clock that was set back must not make a certificate of the future. */
function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 3600_000), notAfter: new Date(Date.now() + lifetime) };
}

function generalName(host: string): { type: 'ip' | 'dns'; value: string } {
  return { type: /^[\d.]+$/.test(host) ? 'ip' : 'dns', value: host };
}

async function writePrivateKey(file: string, key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key);
  await writeFile(file, `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, { mode: 0o600 });
  return file;
}
