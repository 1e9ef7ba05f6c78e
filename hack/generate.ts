// npm run generate: writes what is generated from a source elsewhere. --check: changes nothing, fails on drift.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

const targets: { path: string; source: string; write: (directory: string) => void }[] = [
  {
    path: 'shared/proto/gen',
    source: 'proto/',
    // The options must equal those of shared/proto/load.ts.
    write: (directory) =>
      execFileSync(
        join(root, 'node_modules/.bin/proto-loader-gen-types'),
        [
          ...['--longs=Number', '--enums=String', '--defaults', '--oneofs', '--includeComments'],
          ...['--grpcLib=@grpc/grpc-js', '--importFileExtension=.ts'],
          ...['--inputTemplate=%sInput', '--outputTemplate=%s'],
          ...['--includeDirs', 'proto', '--outDir', directory],
          ...['jvs/agent/v1/agent.proto', 'jvs/link/v1/link.proto', 'grpc/health/v1/health.proto'],
        ],
        { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
      ),
  },
];

const scratch = mkdtempSync(join(tmpdir(), 'jvs-generate-'));
try {
  for (const { path, source, write } of targets) {
    const fresh = join(scratch, path);
    write(fresh);
    if (!check) {
      rmSync(join(root, path), { recursive: true, force: true });
      cpSync(fresh, join(root, path), { recursive: true });
      continue;
    }
    try {
      execFileSync('diff', ['-ru', join(root, path), fresh], { stdio: ['ignore', 'inherit', 'inherit'] });
    } catch (cause) {
      throw new Error(`${path} is not what ${source} generates: run npm run generate and commit it`, {
        cause,
      });
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
