// The agent's configuration: flags win over environment variables, both are validated once, here.
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import * as z from 'zod/mini';
import { isAddress } from '../shared/address.ts';
import { parseDuration } from '../shared/duration.ts';

const options = {
  volume: { variable: 'JVS_VOLUME', help: 'root of the volume (/jvs)' },
  workspace: { variable: 'JVS_WORKSPACE_NAME', help: 'name of the Workspace' },
  namespace: { variable: 'JVS_NAMESPACE', help: 'namespace of the Workspace' },
  pod: { variable: 'JVS_POD', help: 'name of this pod (the host name)' },
  node: { variable: 'JVS_NODE', help: 'name of the node' },
  worktree: { variable: 'JVS_WORKTREE', help: 'what user containers work in, and wait for (main)' },
  'initial-snapshot': {
    variable: 'JVS_INITIAL_SNAPSHOT',
    help: 'Snapshot that main is to hold before user containers start',
  },
  maintenance: {
    variable: 'JVS_MAINTENANCE',
    help: 'true: the workspace is stopped, and this only does what is asked for (false)',
  },
  engine: { variable: 'JVS_ENGINE', help: 'copy, reflink-copy or juicefs-clone (copy)' },
  implementation: {
    variable: 'JVS_IMPLEMENTATION',
    help: 'native, jvs-8 or jvs-0.4 (native); a repository of 0.4 is recognised',
  },
  binary: { variable: 'JVS_BINARY', help: 'the jvs program, for jvs-8 and jvs-0.4 (jvs)' },
  'link-address': { variable: 'JVS_LINK_ADDRESS', help: 'host:port of the operator; without it, no link' },
  'link-token-file': { variable: 'JVS_LINK_TOKEN_FILE', help: '(/var/run/jvs-link/token)' },
  'link-ca-file': { variable: 'JVS_LINK_CA_FILE', help: '(/var/run/jvs-link/ca.crt)' },
  'debug-address': { variable: 'JVS_DEBUG_ADDRESS', help: 'host:port of the debug API (127.0.0.1:7443)' },
  'health-port': { variable: 'JVS_HEALTH_PORT', help: 'port of the probes, on all addresses (7444)' },
  'transfer-port': {
    variable: 'JVS_TRANSFER_PORT',
    help: 'port where other agents fetch snapshots, on all addresses (7445)',
  },
  'shutdown-grace': { variable: 'JVS_SHUTDOWN_GRACE', help: 'seconds for a running snapshot to end (20)' },
  'verify-bytes-per-second': {
    variable: 'JVS_VERIFY_BYTES_PER_SECOND',
    help: 'read at most so fast to verify snapshots while idle; 0: never (8388608)',
  },
  'verify-interval': {
    variable: 'JVS_VERIFY_INTERVAL',
    help: 'each snapshot is verified once in this time (168h)',
  },
  'log-level': { variable: 'LOG_LEVEL', help: 'trace, debug, info, warn, error or silent (info)' },
} as const;
type Option = keyof typeof options;

const address = z.string().check(z.refine(isAddress, 'must be host:port, for example 127.0.0.1:7443'));
const integer = (minimum: number, maximum: number) =>
  z
    .pipe(z.string().check(z.regex(/^\d{1,9}$/, 'must be a whole number')), z.transform(Number))
    .check(z.refine((n) => n >= minimum && n <= maximum, `must be from ${minimum} to ${maximum}`));
const duration = z.pipe(
  z.string(),
  z.transform((text, context) => {
    try {
      return parseDuration(text);
    } catch {
      context.issues.push({
        code: 'custom',
        message: 'must be a duration such as 48h or 7d',
        input: text,
      });
      return z.NEVER;
    }
  }),
);
const absolute = z.string().check(z.startsWith('/', 'must be an absolute path'));

const schema = z.object({
  volume: z._default(absolute, '/jvs'),
  workspace: z._default(z.string(), ''),
  namespace: z._default(z.string(), ''),
  pod: z._default(z.string(), hostname),
  node: z._default(z.string(), ''),
  worktree: z._default(z.string(), 'main'),
  'initial-snapshot': z.optional(z.string()),
  maintenance: z.pipe(
    z._default(z.enum(['true', 'false'], 'must be true or false'), 'false'),
    z.transform((text) => text === 'true'),
  ),
  engine: z._default(
    z.enum(['copy', 'reflink-copy', 'juicefs-clone'], 'must be copy, reflink-copy or juicefs-clone'),
    'copy',
  ),
  implementation: z._default(
    z.enum(['native', 'jvs-8', 'jvs-0.4'], 'must be native, jvs-8 or jvs-0.4'),
    'native',
  ),
  binary: z._default(z.string(), 'jvs'),
  'link-address': z.optional(address),
  'link-token-file': z._default(absolute, '/var/run/jvs-link/token'),
  'link-ca-file': z._default(absolute, '/var/run/jvs-link/ca.crt'),
  'debug-address': z._default(address, '127.0.0.1:7443'),
  'health-port': z._default(integer(0, 65535), 7444),
  'transfer-port': z._default(integer(0, 65535), 7445),
  'shutdown-grace': z._default(integer(0, 3600), 20),
  'verify-bytes-per-second': z._default(integer(0, 999_999_999), 8 * 1024 * 1024),
  'verify-interval': z._default(duration, parseDuration('168h')),
  'log-level': z._default(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'must be a level of pino, such as info'),
    'info',
  ),
});

export type Config = Readonly<z.infer<typeof schema>>;

/** What is wrong with flags or environment, one sentence a line, each naming its flag or variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws ConfigError */
export function parseConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Config {
  const flags = parseFlags(argv);
  const given: Partial<Record<Option, string>> = {};
  for (const option of Object.keys(options) as Option[]) {
    // An empty variable is one that a manifest left open.
    const value = flags[option] ?? (env[options[option].variable] || undefined);
    if (value !== undefined) given[option] = value;
  }
  const named = (option: Option) =>
    flags[option] === undefined ? `${options[option].variable} (--${option})` : `--${option}`;

  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => {
      const option = path[0] as Option;
      return `${named(option)} ${message}; it is ${JSON.stringify(given[option])}`;
    });
    throw new ConfigError(lines.join('\n'));
  }
  const missing = (['workspace', 'namespace'] as const).filter((option) => !parsed.data[option]);
  if (parsed.data['link-address'] && missing.length) {
    throw new ConfigError(
      missing.map((option) => `${named(option)} must be set where ${named('link-address')} is`).join('\n'),
    );
  }
  return parsed.data;
}

function parseFlags(argv: readonly string[]): Partial<Record<Option, string>> {
  try {
    const strings = Object.fromEntries(
      Object.keys(options).map((name) => [name, { type: 'string' as const }]),
    );
    return parseArgs({ args: [...argv], options: strings, strict: true }).values as Partial<
      Record<Option, string>
    >;
  } catch (cause) {
    throw new ConfigError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The options of the agent process, one a line. */
export function usage(): string {
  const lines = Object.entries(options).map(
    ([name, { variable, help }]) => `  --${name.padEnd(24)} ${variable.padEnd(28)} ${help}`,
  );
  return `Usage: jvs-agent [run] [--flag value …]\n\n${lines.join('\n')}\n`;
}
