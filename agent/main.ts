// jvs-agent: the sidecar of a workspace pod, and with a command the tool for people who exec into it.
import { createLogger } from '../shared/log.ts';
import { version } from '../shared/version.ts';
import { startAgent } from './agent.ts';
import { ConfigError, parseConfig, usage } from './config.ts';
import { openNative } from './repository/native/native.ts';

const [command = 'run', ...rest] = process.argv.slice(2);
if (command === '--help' || command === '-h') {
  process.stdout.write(usage());
  process.exitCode = await runCommand(['--help']);
} else if (command === 'run') await run(rest);
else if (command.startsWith('-')) await run([command, ...rest]);
else process.exitCode = await runCommand([command, ...rest]);

/** Loaded when it is asked for: the sidecar has no use for it. */
async function runCommand(argv: readonly string[]): Promise<number> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error; // as when piped into head
  });
  const { runCli } = await import('./cli/cli.ts');
  return runCli(argv);
}

async function run(argv: readonly string[]): Promise<void> {
  let config: ReturnType<typeof parseConfig>;
  try {
    config = parseConfig(argv, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(error.message);
    return;
  }
  const log = createLogger('agent', config['log-level']);
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'the agent ends; its container is started again');
    process.exit(1);
  });

  const { volume, pod, implementation, binary } = config;
  const repository = { volume, holder: pod, implementation, binary, log };
  const agent = await startAgent(config, (engine) => openNative({ ...repository, engine }), log);
  log.info({ version, debugPort: agent.debugPort, healthPort: agent.healthPort }, 'agent started');

  const stop = (signal: NodeJS.Signals, graceMs: number) => {
    log.info({ signal, graceMs }, 'stopping');
    void agent.stop(graceMs).then(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    let again = false;
    process.on(signal, () => {
      stop(signal, again ? 0 : config['shutdown-grace'] * 1000);
      again = true;
    });
  }
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}
