import { Multimap } from './multimap.ts';
import { type KubeObject, keyOf } from './types.ts';

export type Indexes<T> = Record<string, (object: T) => string[]>;

/** Objects by key and by whatever the indexes say; the objects are never changed, only replaced. */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: [(object: T) => string[], Multimap<string, string>][] = [];
  readonly #byName = new Map<string, Multimap<string, string>>();

  constructor(indexes: Indexes<T>) {
    for (const [name, valuesOf] of Object.entries(indexes)) {
      const keysByValue = new Multimap<string, string>();
      this.#indexes.push([valuesOf, keysByValue]);
      this.#byName.set(name, keysByValue);
    }
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(namespace?: string): string[] {
    const all = [...this.#objects.keys()];
    return namespace === undefined ? all : all.filter((key) => key.startsWith(`${namespace}/`));
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#byName.get(name);
    if (!index) throw new Error(`there is no index ${name}`);
    const found: T[] = [];
    for (const key of index.get(value)) {
      const object = this.#objects.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  set(object: T): void {
    const key = keyOf(object);
    this.delete(key);
    this.#objects.set(key, object);
    for (const [valuesOf, keysByValue] of this.#indexes) {
      for (const value of valuesOf(object)) keysByValue.add(value, key);
    }
  }

  delete(key: string): void {
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    for (const [valuesOf, keysByValue] of this.#indexes) {
      for (const value of valuesOf(object)) keysByValue.delete(value, key);
    }
  }
}
