/** A place in a queue. */
export interface Turn {
  /** Resolves when all earlier places have been left. */
  readonly reached: Promise<void>;
  /** Leaves the place. Later calls do nothing. */
  leave(): void;
}

/** A queue whose places are reached in the order in which they were taken, even if one is left early. */
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
