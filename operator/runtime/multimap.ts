/** Several values under one key; a key without any takes no memory. */
export class Multimap<K, V> {
  readonly #values = new Map<K, Set<V>>();

  /** In the order in which they came. */
  get(key: K): Iterable<V> {
    return this.#values.get(key) ?? [];
  }

  add(key: K, value: V): void {
    const values = this.#values.get(key);
    if (values) values.add(value);
    else this.#values.set(key, new Set([value]));
  }

  delete(key: K, value: V): void {
    const values = this.#values.get(key);
    values?.delete(value);
    if (values?.size === 0) this.#values.delete(key);
  }
}
