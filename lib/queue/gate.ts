interface Waiting {
  alone: boolean;
  enter: () => void;
}

/** Runs work concurrently, except for work that must run alone. Work starts in the order of the requests. */
export class Gate {
  #inside = 0;
  #alone = false;
  readonly #waiting: Waiting[] = [];

  /** Resolves when the work may start, to a function that must be called at its end. */
  enter(alone: boolean): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push({ alone, enter: () => resolve(this.#leave(alone)) });
      this.#admit();
    });
  }

  #leave(alone: boolean): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inside--;
      if (alone) this.#alone = false;
      this.#admit();
    };
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#alone || (next.alone && this.#inside > 0)) return;
      this.#waiting.shift();
      this.#inside++;
      this.#alone = next.alone;
      next.enter();
    }
  }
}
