import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const generate = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
const valid = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };

export interface Authority {
  /** PEM. */
  ca: string;
  /** A serving certificate for localhost, PEM. */
  issue(): Promise<{ cert: string; key: string }>;
}

export async function createAuthority(): Promise<Authority> {
  const keys = await generate();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-ca',
    keys,
    signingAlgorithm: algorithm,
    ...valid,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return {
    ca: ca.toString('pem'),
    async issue() {
      const own = await generate();
      const certificate = await x509.X509CertificateGenerator.create({
        subject: 'CN=localhost',
        issuer: ca.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        ...valid,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
      });
      const key = await crypto.subtle.exportKey('pkcs8', own.privateKey);
      return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
    },
  };
}
