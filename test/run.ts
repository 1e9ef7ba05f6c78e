// npm test: checks, then every suite; ends with `N passed, N failed` and fails when anything did.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const started = Date.now();
const cluster = 'test/cluster/cli.ts';
// A cluster that somebody works with stays up.
const wasUp = spawnSync('node', [cluster, 'status'], { cwd: root }).status === 0;
let passed = 0;
let failed = 0;

function run(title: string, command: string[]): boolean {
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`\n── ${title} (${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}) ──`);
  const { status } = spawnSync(command[0] ?? '', command.slice(1), { cwd: root, stdio: 'inherit' });
  return status === 0;
}

function check(title: string, command: string[]): void {
  if (run(title, command)) passed++;
  else failed++;
}

/** Runs one suite, counted by vitest's own report. One that can not start counts as one failure. */
function suite(title: string, command: string[]): void {
  const scratch = mkdtempSync(join(tmpdir(), 'jvs-test-'));
  const report = join(scratch, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const succeeded = run(title, [...command, ...reporters]);
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  passed += counts.numPassedTests ?? 0;
  failed += Math.max(counts.numFailedTests ?? 0, succeeded ? 0 : 1);
  rmSync(scratch, { recursive: true });
}

check('lint and format', ['biome', 'ci', '.']);
check('types', ['tsc']);
check('generated files', ['node', 'hack/generate.ts', '--check']);
suite('unit tests', ['vitest', 'run', '--project', 'unit']);
suite('integration tests, on a real API server', ['vitest', 'run', '--project', 'integration']);
suite('e2e tests, on a real node', ['node', 'test/e2e/run.ts']);
if (!wasUp) run('clean up', ['node', cluster, 'down']);

console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
