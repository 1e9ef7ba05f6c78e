const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/**
 * Bytes in a Kubernetes quantity such as 50Gi, 1.5G or 1e9, in the precision of a double: enough to compare sizes.
 * Source: the serialisation format in the documentation of k8s.io/apimachinery resource.Quantity.
 * @throws RangeError when it is none
 */
export function quantityBytes(quantity: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([kMGTPE])|[eE]\+?(\d+))?$/.exec(quantity);
  if (!match) throw new RangeError(`not a quantity of bytes: ${quantity}`);
  const [, number, binary, decimal, exponent] = match;
  if (binary) return Number(number) * 1024 ** units.indexOf(binary.charAt(0).replace('K', 'k'));
  if (decimal) return Number(number) * 1000 ** units.indexOf(decimal);
  return Number(number) * 10 ** Number(exponent ?? 0);
}
