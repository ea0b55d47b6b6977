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
    let mine = () => {};
    const turn = new Promise<void>((done) => {
      mine = done;
    });
    this.#waiting.push(mine);
    try {
      await own.untilStopped(turn);
    } catch (error) {
      const place = this.#waiting.indexOf(mine);
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
