// Queues of calls: a fixed number of slots, and places in the order of arrival.
import type { Call } from '../native/job.js';

/** A fixed number of slots that calls enter in order. A cancelled call leaves the queue immediately. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Waits for a slot. Resolves to a function that releases it. */
  async enter(own: Call): Promise<() => void> {
    if (this.#free > 0) {
      this.#free--;
      return this.#leave;
    }
    let resolveSlot = () => {};
    const turn = new Promise<void>((done) => {
      resolveSlot = done;
    });
    this.#waiting.push(resolveSlot);
    try {
      await own.untilStopped(turn);
    } catch (error) {
      const place = this.#waiting.indexOf(resolveSlot);
      // The call may have received the slot in the same turn in which it was cancelled.
      if (place >= 0) this.#waiting.splice(place, 1);
      else this.#leave();
      throw error;
    }
    return this.#leave;
  }

  readonly #leave = (): void => {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  };
}

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
