/** Number of steps over which the speed is averaged. */
const WINDOW = 20;

/** Speed of the last steps. */
export class Pace {
  readonly #steps: { images: number; seconds: number }[] = [];

  add(images: number, seconds: number): void {
    this.#steps.push({ images, seconds });
    if (this.#steps.length > WINDOW) this.#steps.shift();
  }

  get imagesPerSecond(): number {
    return this.#sum('images') / this.#sum('seconds');
  }

  get secondsPerStep(): number {
    return this.#sum('seconds') / this.#steps.length;
  }

  #sum(key: 'images' | 'seconds'): number {
    return this.#steps.reduce((sum, step) => sum + step[key], 0);
  }
}
