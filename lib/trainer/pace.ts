/** Steps that the pace is measured over. */
const WINDOW = 20;

/** How fast the last steps were. */
export class Pace {
  readonly #steps: { pictures: number; seconds: number }[] = [];

  add(pictures: number, seconds: number): void {
    this.#steps.push({ pictures, seconds });
    if (this.#steps.length > WINDOW) this.#steps.shift();
  }

  get picturesPerSecond(): number {
    return this.#sum('pictures') / this.#sum('seconds');
  }

  get secondsPerStep(): number {
    return this.#sum('seconds') / this.#steps.length;
  }

  #sum(key: 'pictures' | 'seconds'): number {
    return this.#steps.reduce((sum, step) => sum + step[key], 0);
  }
}
