// The operator's configuration: flags and environment, checked once.
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { isAddress } from '../shared/address.ts';
import { parseDuration } from '../shared/duration.ts';
import { quantityValue } from './api/quantity.ts';

const port = z.coerce.number().int().min(0).max(65535);
const quantity = z
  .string()
  .refine((text) => quantityValue(text) !== undefined, 'must be a quantity such as 64Mi or 50m');
const duration = z.string().refine((text) => {
  try {
    return parseDuration(text) > 0;
  } catch {
    return false;
  }
}, 'must be a duration such as 48h or 7d');
const list = z
  .string()
  .default('')
  .transform((names) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );
const level = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']));
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

const schema = z.object({
  /** Namespace of the operator itself. */
  JVS_NAMESPACE: z.string().min(1).default('jvs-system'),
  /** The operator's own pod, from the downward API; empty outside a cluster. */
  JVS_POD: z.string().default(''),
  /** The only namespaces whose Workspaces count; all when empty. */
  JVS_NAMESPACES: list,
  JVS_AGENT_IMAGE: z.string().min(1),
  JVS_AGENT_CPU_REQUEST: quantity.default('10m'),
  JVS_AGENT_MEMORY_REQUEST: quantity.default('64Mi'),
  /** No CPU limit where it is empty: a throttled agent only holds its own snapshots up. */
  JVS_AGENT_CPU_LIMIT: quantity.or(z.literal('')).default(''),
  JVS_AGENT_MEMORY_LIMIT: quantity.default('512Mi'),
  /** One that agents know: with another they would not start. */
  JVS_AGENT_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** How fast idle agents read snapshots to verify them, 0 for never, and how often each; the agent's defaults without. */
  JVS_AGENT_VERIFY_BYTES_PER_SECOND: z.coerce.number().int().min(0).max(999_999_999).optional(),
  JVS_AGENT_VERIFY_INTERVAL: duration.optional(),
  /** host:port that agents dial; with one that they do not take they would not start. */
  JVS_LINK_ADDRESS: z
    .string()
    .refine(isAddress, 'must be host:port, an IPv6 address in brackets, and no URL')
    .optional(),
  /** URL of the webhook as the API server reaches it; only outside a cluster, where no Service leads to it. */
  JVS_WEBHOOK_URL: z.url({ protocol: /^https$/ }).optional(),
  /** More DNS names and IP addresses for the serving certificate. */
  JVS_CERTIFICATE_NAMES: list,
  /** Who makes the certificates in Secret jvs-operator-certs: the operator itself, or somebody else (cert-manager). */
  JVS_CERTIFICATES: z.enum(['own', 'external']).default('own'),
  /** It makes volumes for Workspaces with juiceFsConfig and no storage class: a right that config/juicefs gives. */
  JVS_STATIC_VOLUMES: flag.default(false),
  /** How many snapshots that nobody made a resource for are shown as one, for each Workspace. */
  JVS_HISTORY_LIMIT: z.coerce.number().int().min(0).max(10_000).default(100),
  JVS_LEADER_ELECTION: flag.default(true),
  JVS_WEBHOOK_PORT: port.default(9443),
  JVS_LINK_PORT: port.default(8443),
  JVS_HEALTH_PORT: port.default(8081),
  JVS_METRICS_PORT: port.default(8080),
  /** Of the operator itself. */
  LOG_LEVEL: level.default('info'),
});

export type Config = ReturnType<typeof parseConfig>;

/** Flags win over the environment: `--link-port` is JVS_LINK_PORT. @throws Error that names each bad setting */
export function parseConfig(argv: readonly string[], environment: Record<string, string | undefined>) {
  const names = Object.keys(schema.shape);
  const flagOf = (name: string) => name.replace(/^JVS_/, '').toLowerCase().replaceAll('_', '-');
  const { values } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }])),
  });
  // An empty variable is one that a manifest left open.
  const given = names.map((name) => [name, values[flagOf(name)] ?? (environment[name] || undefined)]);
  const result = schema.safeParse(Object.fromEntries(given));
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      return `${name} (--${flagOf(name)}): ${message}`;
    });
    throw new Error(problems.join('; '));
  }
  const c = result.data;
  return {
    namespace: c.JVS_NAMESPACE,
    pod: c.JVS_POD,
    namespaces: c.JVS_NAMESPACES,
    agent: {
      image: c.JVS_AGENT_IMAGE,
      resources: {
        requests: { cpu: c.JVS_AGENT_CPU_REQUEST, memory: c.JVS_AGENT_MEMORY_REQUEST },
        limits: {
          ...(c.JVS_AGENT_CPU_LIMIT && { cpu: c.JVS_AGENT_CPU_LIMIT }),
          memory: c.JVS_AGENT_MEMORY_LIMIT,
        },
      },
      linkAddress: c.JVS_LINK_ADDRESS ?? `jvs-operator.${c.JVS_NAMESPACE}.svc:8443`,
      logLevel: c.JVS_AGENT_LOG_LEVEL,
      verifyBytesPerSecond: c.JVS_AGENT_VERIFY_BYTES_PER_SECOND,
      verifyInterval: c.JVS_AGENT_VERIFY_INTERVAL,
    },
    webhookUrl: c.JVS_WEBHOOK_URL,
    certificateNames: c.JVS_CERTIFICATE_NAMES,
    certificates: c.JVS_CERTIFICATES,
    staticVolumes: c.JVS_STATIC_VOLUMES,
    historyLimit: c.JVS_HISTORY_LIMIT,
    logLevel: c.LOG_LEVEL,
    leaderElection: c.JVS_LEADER_ELECTION,
    ports: {
      webhook: c.JVS_WEBHOOK_PORT,
      link: c.JVS_LINK_PORT,
      health: c.JVS_HEALTH_PORT,
      metrics: c.JVS_METRICS_PORT,
    },
  };
}
