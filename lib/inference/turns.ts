/** One place in a line. */
export interface Turn {
  /** Resolves when every place before this one was left. */
  readonly reached: Promise<void>;
  /** Leaves the place, once; later calls do nothing. */
  leave(): void;
}

/** A line whose places are reached in the order in which they were taken, also where one is left early. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  join(): Turn {
    const reached = this.#last;
    let leave = () => {};
    const left = new Promise<void>((done) => {
      leave = done;
    });
    this.#last = reached.then(() => left);
    return { reached, leave };
  }
}
