// Parts of the experiment that need no network: distribution of steps, and the report.

/** Steps per segmenter, in proportion to the images of its type: at least 1 each, `total` together. */
function stepsOf(images, total) {
  const types = Object.keys(images);
  if (total < types.length) throw new Error(`${total} steps are too few for ${types.length} segmenters`);
  const all = Object.values(images).reduce((sum, count) => sum + count, 0);
  const exact = types.map((type) => (total * images[type]) / all);
  const steps = exact.map((share) => Math.max(Math.floor(share), 1));
  const owed = (i) => exact[i] - steps[i];
  for (let left = total - steps.reduce((sum, count) => sum + count, 0); left !== 0; left -= Math.sign(left)) {
    const order = types.map((_, i) => i).filter((i) => left > 0 || steps[i] > 1);
    const next = order.sort((a, b) => Math.sign(left) * (owed(b) - owed(a)) || a - b)[0];
    steps[next] += Math.sign(left);
  }
  return Object.fromEntries(types.map((type, i) => [type, steps[i]]));
}

const threeDecimals = (value) => value.toFixed(3);
const signed = (value) => (value < 0 ? '−' : '+') + threeDecimals(Math.abs(value));
const rows = ({ perCellType = {}, ...all }) => [all, ...Object.values(perCellType)];
const change = ({ difference, interval }) => `${signed(difference)} (${interval.map(signed).join(' to ')})`;

/**
 * A Markdown table that compares two ways of routing with the single network: the real router, and a router without
 * errors. Intervals are in brackets.
 */
function tableOf(routed, unerring) {
  const names = ['all', ...Object.keys(routed.perCellType ?? {})];
  const [own, best] = [rows(routed), rows(unerring)];
  const lines = names.map((name, i) => {
    const { images, first, second } = own[i];
    const scores = [first, second, best[i].second].map(threeDecimals);
    return `| ${[name, images, ...scores, change(own[i]), change(best[i])].join(' | ')} |`;
  });
  const head = 'images | single | routed | unerring | routed less single | unerring less single';
  return [`| | ${head} |`, '| --- | --- | --- | --- | --- | --- | --- |', ...lines].join('\n');
}

/** Data for renderPlot: images per type in ascending order of their single score, with the single and the routed score. */
function plotOf(single, routed) {
  const score = new Map(routed.perImage.map(({ id, kaggle }) => [id, kaggle]));
  const types = [...new Set(single.perImage.map(({ cellType }) => cellType))].sort();
  const pairs = types.flatMap((type) =>
    single.perImage
      .filter((image) => image.cellType === type)
      .sort((a, b) => a.kaggle - b.kaggle)
      .map(({ id, kaggle }) => ({ type, single: kaggle, routed: score.get(id) })),
  );
  // A NaN interrupts the line between two types.
  const points = (side) =>
    pairs.flatMap((pair, i) => [
      ...(i > 0 && pairs[i - 1].type !== pair.type ? [[i + 0.5, Number.NaN]] : []),
      [i + 1, pair[side]],
    ]);
  return {
    title: 'One Mask R-CNN for all types, or one per type behind a router',
    xLabel: `held-out images: ${types.join(', ')}, each by ascending score of the single network`,
    yLabel: 'mean precision, IoU 0.5 to 0.95',
    yRange: [0, 0.1],
    series: [
      { name: `single, mean ${threeDecimals(single.kaggle.mean)}`, points: points('single'), dashed: true },
      { name: `routed, mean ${threeDecimals(routed.kaggle.mean)}`, points: points('routed') },
    ],
  };
}

module.exports = { stepsOf, tableOf, plotOf };
