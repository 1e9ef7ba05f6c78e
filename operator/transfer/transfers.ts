// Which snapshots are on their way from one workspace to another. Kept in memory: an operator that starts finds out
// anew, with new tokens, and tells both sides.
import { createHash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ExportInput } from '../../shared/proto/gen/jvs/link/v1/Export.ts';
import type { InitialInput } from '../../shared/proto/gen/jvs/link/v1/Initial.ts';
import { Multimap } from '../runtime/multimap.ts';
import type { Plan } from './plan.ts';

interface Transfer extends Plan {
  token: string;
}

/** `workspace` is `namespace/name` everywhere. */
export class Transfers {
  readonly #transfers = new Map<string, Transfer>();
  /** Workspaces that wait, by the one that they wait for. */
  readonly #bySource = new Multimap<string, string>();
  readonly #handlers: ((workspace: string) => void)[] = [];
  readonly #random: () => string;

  constructor(random: () => string = () => randomBytes(32).toString('hex')) {
    this.#random = random;
  }

  /** Called with each workspace for which something is another now. Handlers only enqueue. */
  onChange(handler: (workspace: string) => void): void {
    this.#handlers.push(handler);
  }

  /** What its agent is to fetch. */
  initial(workspace: string): InitialInput | undefined {
    const { fetch, token } = this.#transfers.get(workspace) ?? {};
    return fetch && { ...fetch, token };
  }

  /** What its agent is to serve. */
  exports(workspace: string): ExportInput[] {
    return [...this.#bySource.get(workspace)].sort().flatMap((target) => {
      const { exports, token } = this.#transfers.get(target) ?? {};
      return exports && token ? { snapshotId: exports.snapshotId, tokenSha256: sha256(token) } : [];
    });
  }

  /** What it waits for; undefined when it does not. */
  waits(workspace: string): Plan['waits'] {
    return this.#transfers.get(workspace)?.waits;
  }

  /** What was found for `target` now. */
  set(target: string, plan: Plan): void {
    const before = this.#transfers.get(target);
    const { token, ...planned } = before ?? {};
    if (isDeepStrictEqual(planned, plan)) return;
    if (plan.waits) this.#transfers.set(target, { ...plan, token: token ?? this.#random() });
    else this.#transfers.delete(target);
    const [was, is] = [before?.exports?.source, plan.exports?.source];
    if (was !== is) {
      if (was) this.#bySource.delete(was, target);
      if (is) this.#bySource.add(is, target);
    }
    this.#notify(target);
    for (const source of new Set([was, is])) if (source) this.#notify(source);
  }

  #notify(workspace: string): void {
    for (const handler of this.#handlers) handler(workspace);
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
