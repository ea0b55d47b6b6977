import { createHash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/**
 * Random numbers that depend only on a seed and a path, such as `random(seed, 'augment', epoch, index)`. The same path
 * gives the same numbers on every machine and in any order of calls. There is no state to save or restore, and different
 * paths give independent numbers.
 */
export class Random {
  readonly #generator;

  /** @internal Use {@link random}. */
  constructor(path: readonly (number | string)[]) {
    // JSON distinguishes 1 and '1', and ['a', 'b'] and ['a,b'].
    const digest = createHash('sha256').update(JSON.stringify(path)).digest();
    this.#generator = xoroshiro128plusFromState([0, 4, 8, 12].map((at) => digest.readInt32LE(at)));
  }

  /** A uniformly distributed number from `min` to below `max`. */
  uniform(min = 0, max = 1): number {
    return min + (max - min) * uniformFloat64(this.#generator);
  }

  /** A uniformly distributed integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return uniformInt(this.#generator, min, max);
  }

  /** true with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** A normally distributed number (Marsaglia's polar method). */
  normal(mean = 0, std = 1): number {
    for (;;) {
      const x = this.uniform(-1, 1);
      const y = this.uniform(-1, 1);
      const square = x * x + y * y;
      if (square > 0 && square < 1) return mean + std * x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }

  /** A seed for another generator: an integer below 2^53. */
  seed(): number {
    return this.integer(0, Number.MAX_SAFE_INTEGER);
  }

  /** The items in a random order. */
  shuffle<T>(items: Iterable<T>): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const other = this.integer(0, i);
      [shuffled[i], shuffled[other]] = [shuffled[other]!, shuffled[i]!];
    }
    return shuffled;
  }
}

/** Creates the generator of a seed and a path: a purpose, followed by counters such as epoch, step and index. */
export function random(seed: number, ...path: (number | string)[]): Random {
  return new Random([seed, ...path]);
}
