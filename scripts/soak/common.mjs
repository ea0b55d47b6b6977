// Functions that all soak programs use.
import { createRequire } from 'node:module';

export const root = new URL('../../', import.meta.url);
export const library = createRequire(new URL('dist/', root));
export const [, , seconds, folder] = process.argv;

const end = performance.now() + 1000 * Number(seconds);
export const isTime = () => performance.now() < end;

export const failures = [];
export function check(held, sentence) {
  if (!held) failures.push(sentence);
}

/** An image of noise with bright disks. */
export function image(side, seed = 1) {
  const data = new Uint8Array(side * side);
  for (let i = 0; i < data.length; i++) data[i] = 20 + ((Math.imul(i ^ seed, 2654435761) >>> 24) & 15);
  for (let disk = 0; disk < side / 16; disk++) {
    const x = (disk * 37 + seed * 11) % side;
    const y = (disk * 53 + seed * 7) % side;
    for (let dy = -6; dy <= 6; dy++) {
      for (let dx = -6; dx <= 6; dx++) {
        const inside =
          dx * dx + dy * dy <= 36 && x + dx >= 0 && x + dx < side && y + dy >= 0 && y + dy < side;
        if (inside) data[(y + dy) * side + x + dx] = 200;
      }
    }
  }
  return { data, width: side, height: side, channels: 1 };
}

/** A generator of numbers from 0 to 1 with a seed. */
export function generator(seed = 1) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The median, the 99th percentile and the largest of some milliseconds, each by its name. */
export function quantiles(name, milliseconds) {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  return { [`${name} p50 ms`]: at(0.5), [`${name} p99 ms`]: at(0.99), [`${name} max ms`]: at(1) };
}

export function report(figures) {
  console.log(JSON.stringify({ ...figures, failures }));
}
