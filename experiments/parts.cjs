// Parts of the experiment without networks: how steps are divided, and the report.

/** Steps of each type's segmenter in proportion to its images, each 1 at least, `total` together. */
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

const told = (value) => value.toFixed(3);
const signed = (value) => (value < 0 ? '−' : '+') + told(Math.abs(value));
const rows = ({ perCellType = {}, ...all }) => [all, ...Object.values(perCellType)];
const change = ({ difference, interval }) => `${signed(difference)} (${interval.map(signed).join(' to ')})`;

/**
 * A Markdown table of two comparisons with the single network: routed as it is, and by a router that is never wrong.
 * The intervals are in brackets.
 */
function tableOf(routed, unerring) {
  const names = ['all', ...Object.keys(routed.perCellType ?? {})];
  const [own, best] = [rows(routed), rows(unerring)];
  const lines = names.map((name, i) => {
    const { images, first, second } = own[i];
    const scores = [first, second, best[i].second].map(told);
    return `| ${[name, images, ...scores, change(own[i]), change(best[i])].join(' | ')} |`;
  });
  const head = 'images | single | routed | unerring | routed less single | unerring less single';
  return [`| | ${head} |`, '| --- | --- | --- | --- | --- | --- | --- |', ...lines].join('\n');
}

/** What renderPlot draws: each type's images by their single score, single and routed above each other. */
function plotOf(single, routed) {
  const score = new Map(routed.perImage.map(({ id, kaggle }) => [id, kaggle]));
  const types = [...new Set(single.perImage.map(({ cellType }) => cellType))].sort();
  const pairs = types.flatMap((type) =>
    single.perImage
      .filter((image) => image.cellType === type)
      .sort((a, b) => a.kaggle - b.kaggle)
      .map(({ id, kaggle }) => ({ type, single: kaggle, routed: score.get(id) })),
  );
  // A value that is no number leaves a gap between two types.
  const points = (side) =>
    pairs.flatMap((pair, i) => [
      ...(i > 0 && pairs[i - 1].type !== pair.type ? [[i + 0.5, Number.NaN]] : []),
      [i + 1, pair[side]],
    ]);
  return {
    title: 'One Mask R-CNN for all types, or one per type behind a router',
    xLabel: `held-out images: ${types.join(', ')}, each by rising score of the single network`,
    yLabel: 'mean precision, IoU 0.5 to 0.95',
    yRange: [0, 0.1],
    series: [
      { name: `single, mean ${told(single.kaggle.mean)}`, points: points('single'), dashed: true },
      { name: `routed, mean ${told(routed.kaggle.mean)}`, points: points('routed') },
    ],
  };
}

module.exports = { stepsOf, tableOf, plotOf };
