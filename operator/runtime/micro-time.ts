/** Kubernetes' MicroTime takes exactly six decimals. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
