import { ApiError } from './errors.ts';

/** Of one pass over several objects: what a policy or a quota denies holds up none of the others. */
export class Denials {
  #last: ApiError | undefined;

  /** To be thrown when all have been attempted, so that the pass is tried again. */
  get last(): ApiError | undefined {
    return this.#last;
  }

  /** `tell` is called with what was denied. @throws any other error of `work` */
  async attempt(work: () => Promise<void>, tell: (denial: ApiError) => void): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!ApiError.isDenial(error)) throw error;
      this.#last = error;
      tell(error);
    }
  }
}
