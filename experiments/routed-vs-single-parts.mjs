// What the experiment is made of, apart from networks: folds, shares of steps, and the difference's interval.

/** mulberry32: the same numbers for the same seed on every machine. */
export function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The ids of each fold: every picture in one, each type spread evenly over all. */
export function foldsOf(data, count, seed) {
  const draw = random(seed);
  const folds = Array.from({ length: count }, () => []);
  let next = 0;
  for (const type of data.types) {
    const ids = data.items.filter((item) => item.type === type).map(({ id }) => id);
    for (let i = ids.length - 1; i > 0; i--) {
      const j = Math.floor(draw() * (i + 1));
      [ids[i], ids[j]] = [ids[j], ids[i]];
    }
    for (const id of ids) folds[next++ % count].push(id);
  }
  return folds;
}

/** Steps of each type's segmenter, in proportion to its pictures and `total` together. */
export function stepsOf(data, total) {
  const counts = data.types.map((type) => data.items.filter((item) => item.type === type).length);
  let left = total;
  let pictures = data.items.length;
  return data.types.map((type, i) => {
    const share = Math.round((left * counts[i]) / pictures);
    left -= share;
    pictures -= counts[i];
    return [type, share];
  });
}

/** Two sides' scores of the same pictures: means, their difference, and its 95 % interval over pictures. */
export function differenceOf(single, routed, samples, seed) {
  const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const differences = routed.map((value, i) => value - single[i]);
  const draw = random(seed);
  const means = Array.from({ length: samples }, () =>
    mean(differences.map(() => differences[Math.floor(draw() * differences.length)])),
  ).sort((a, b) => a - b);
  return {
    pictures: single.length,
    single: mean(single),
    routed: mean(routed),
    difference: mean(differences),
    low: means[Math.floor(0.025 * samples)],
    high: means[Math.ceil(0.975 * samples) - 1],
  };
}
