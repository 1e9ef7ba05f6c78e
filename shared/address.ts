/** host:port, an IPv6 address in brackets: what agents dial and serve. */
export function isAddress(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-fA-F:]+\]|[^:/\s]+):(\d{1,5})$/.exec(text) ?? [];
  return Number(port) <= 65_535;
}
