import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeOperator } from './fake-operator.ts';
import { createAuthority } from './tls.ts';

/** An operator, and the arguments of an agent process that dials it. What ends them is added to `stops`. */
export async function link(stops: (() => unknown)[]): Promise<{ operator: FakeOperator; argv: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'jvs-agent-link-'));
  stops.push(() => rmSync(directory, { recursive: true }));
  const authority = await createAuthority();
  const operator = new FakeOperator(authority);
  await operator.start();
  stops.push(() => operator.kill());
  const [ca, token] = [join(directory, 'ca.crt'), join(directory, 'token')];
  writeFileSync(ca, authority.ca);
  writeFileSync(token, 'token');
  const argv = [
    ...[`--link-address=${operator.address}`, `--link-ca-file=${ca}`, `--link-token-file=${token}`],
    ...['--workspace=ml', '--namespace=default', '--pod=ml-0'],
  ];
  return { operator, argv };
}
