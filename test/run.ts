// npm test: checks, then every suite; ends with what failed and `N passed, N failed`, and fails when anything did.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { JsonTestResults } from 'vitest/node';

const root = join(import.meta.dirname, '..');
const started = Date.now();
const cluster = 'test/cluster/cli.ts';
// A cluster that somebody works with stays up.
const wasUp = spawnSync('node', [cluster, 'status'], { cwd: root }).status === 0;
let passed = 0;
/** Said again at the end: the output is long, and some keep only the last of it. */
const failures: string[] = [];

function run(title: string, command: string[]): boolean {
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`\n── ${title} (${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}) ──`);
  const { status } = spawnSync(command[0] ?? '', command.slice(1), { cwd: root, stdio: 'inherit' });
  return status === 0;
}

function check(title: string, command: string[]): void {
  if (run(title, command)) passed++;
  else failures.push(title);
}

/** Runs one suite, counted by vitest's own report. One that can not start counts as one failure. */
function suite(title: string, command: string[]): void {
  const scratch = mkdtempSync(join(tmpdir(), 'jvs-test-'));
  const report = join(scratch, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const succeeded = run(title, [...command, ...reporters]);
  const results: JsonTestResults | undefined = existsSync(report)
    ? JSON.parse(readFileSync(report, 'utf8'))
    : undefined;
  passed += results?.numPassedTests ?? 0;
  const found = (results?.testResults ?? []).flatMap(failuresOf);
  if (!succeeded) failures.push(...(found.length > 0 ? found : [title]));
  rmSync(scratch, { recursive: true });
}

/** Each failed test of a file with its first message; a file that can not be loaded has no tests, but a message. */
function failuresOf(file: JsonTestResults['testResults'][number]): string[] {
  const name = relative(root, file.name);
  const failed = file.assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0 && file.status === 'failed') return [`${name}\n${file.message}`];
  return failed.map((test) => `${name}: ${test.fullName}\n${test.failureMessages?.[0] ?? ''}`);
}

check('lint and format', ['biome', 'ci', '.']);
check('types', ['tsc']);
check('generated files', ['node', 'hack/generate.ts', '--check']);
suite('unit tests', ['vitest', 'run', '--project', 'unit']);
suite('integration tests, on a real API server', ['vitest', 'run', '--project', 'integration']);
suite('e2e tests, on a real node', ['node', 'test/e2e/run.ts']);
if (!wasUp) run('clean up', ['node', cluster, 'down']);

if (failures.length > 0) console.log(`\n── failed ──\n${failures.join('\n\n')}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
