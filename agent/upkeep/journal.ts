// What the operator has to hear although nobody may have listened when it happened: told again on every connect, known
// by its ids.
import * as z from 'zod/mini';
import type { Clock } from '../clock.ts';
import type { StateStore } from '../state.ts';

const happening = z.object({
  id: z.string(),
  time: z.iso.datetime(),
  reason: z.string(),
  message: z.string(),
});

/** Oldest first. */
const journalSchema = z.object({
  /** Of retention's, some may still be on the volume: they are written down before they go. */
  removed: z.array(happening),
  notices: z.array(z.extend(happening, { warning: z.boolean() })),
});
export type JournalEntries = Readonly<z.infer<typeof journalSchema>>;

/** Of removals, so many are remembered. */
export const mostRemoved = 1000;
const mostNotices = 200;
/** The operator refuses texts longer than a few KiB. */
const textLimit = 1024;

export class Journal {
  readonly #store: StateStore;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #entries: JournalEntries = { removed: [], notices: [] };
  #saving: Promise<unknown> = Promise.resolve();
  #loaded = false;

  constructor(store: StateStore, clock: Clock, onChange: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Replaced, never changed. */
  get entries(): JournalEntries {
    return this.#entries;
  }

  /** What was entered before follows what was on the volume. */
  async load(): Promise<void> {
    const stored = (await this.#store.load('journal', journalSchema)) ?? { removed: [], notices: [] };
    const early = this.#loaded ? { removed: [], notices: [] } : this.#entries;
    this.#loaded = true;
    await this.#write({
      removed: [...stored.removed, ...early.removed],
      notices: [...stored.notices, ...early.notices],
    });
  }

  /** Becomes an event of the Workspace, a warning. The same `id` is the same happening, and said once. */
  async notice(id: string, reason: string, message: string): Promise<void> {
    const { removed, notices } = this.#entries;
    if (notices.some((notice) => notice.id === id)) return;
    const notice = { id, time: this.#time(), warning: true, reason, message: message.slice(0, textLimit) };
    await this.#write({ removed, notices: [...notices, notice].slice(-mostNotices) });
  }

  async removed(gone: readonly { id: string; reason: string; message: string }[]): Promise<void> {
    if (!gone.length) return;
    const ids = new Set(gone.map(({ id }) => id));
    const others = this.#entries.removed.filter(({ id }) => !ids.has(id));
    const time = this.#time();
    const now = gone.map((one) => ({ ...one, time, message: one.message.slice(0, textLimit) }));
    const { notices } = this.#entries;
    await this.#write({ removed: [...others, ...now].slice(-mostRemoved), notices });
  }

  #time(): string {
    return this.#clock.now().toISOString();
  }

  async #write(entries: JournalEntries): Promise<void> {
    this.#entries = entries;
    if (this.#loaded) {
      this.#saving = this.#saving.then(() => this.#store.save('journal', this.#entries));
      await this.#saving;
    }
    this.#onChange();
  }
}
