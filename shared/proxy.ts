// The proxy that the environment names, by the rules of Go's programs, kubectl among them, which differ from those of
// Node and curl. Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
import { BlockList, isIP } from 'node:net';

type Environment = Record<string, string | undefined>;

/** URL of the proxy by which `server` is reached; undefined for none. */
export function proxyFromEnvironment(
  { protocol, hostname, port }: URL,
  env: Environment,
): string | undefined {
  const proxy = variable(env, protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (!proxy) return undefined;
  const host = unbracketed(hostname);
  if (host === 'localhost') return undefined;
  const effective = port || (protocol === 'https:' ? '443' : '80');
  const direct = ['127.0.0.0/8', '::1', ...variable(env, 'NO_PROXY').split(',')];
  if (direct.some((rule) => matches(rule.trim().toLowerCase(), host, effective))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

const variable = (env: Environment, name: string): string => env[name] || env[name.toLowerCase()] || '';

/** `rule`: `*`, a range of addresses as CIDR, an address or a domain, the last two with a port if need be. */
function matches(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  const [, network, bits] = /^(.*)\/(\d+)$/.exec(rule) ?? [];
  if (network !== undefined) return isWithin(host, network, Number(bits));
  const [, named = rule, onPort] = isIP(rule) ? [] : (/^(.*?)(?::(\d+))?$/.exec(rule) ?? []);
  if (named === '' || (onPort !== undefined && onPort !== port)) return false;
  const address = onPort === undefined ? named : unbracketed(named);
  if (isIP(address)) return isWithin(host, address, isIP(address) === 6 ? 128 : 32);
  const domain = named.replace(/^\*\./, '.');
  return host === domain || host.endsWith(domain.startsWith('.') ? domain : `.${domain}`);
}

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

function isWithin(host: string, network: string, bits: number): boolean {
  if (isIP(host) === 0 || isIP(host) !== isIP(network)) return false;
  const family = isIP(host) === 6 ? 'ipv6' : 'ipv4';
  if (bits > (family === 'ipv6' ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(host, family);
}
