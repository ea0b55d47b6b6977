// Learning curves of `cellroute finetune`: fine-tunes on 3, 5, 10, 20 images of a data set, and evaluates each model on images that
// are kept back from all of them.
//
//   node experiments/finetune.mjs --data PATH --out FOLDER [--images DIR] [--cell-type-column NAMES] [--where COLUMN=VALUE]
//       [--sizes 3,5,10,20] [--types each|mixed] [--type NAME] [--kept-back 0.5|COLUMN=VALUE] [--steps N | --minutes N]
//       [--seed 3011]
//
// The images of a smaller size are among those of a larger one. Of the images it gets, the command holds out a part by itself, as for
// every user. FOLDER gets curves.json, curves.md and curves.png, and a model per point, which is resumed if it was interrupted and not
// trained again.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { RoutedEnsemble } from '../dist/index.mjs';
import { compareEvaluations } from '../dist/metrics.mjs';
import { renderPlot } from '../dist/render/plot.js';
import { finetune } from '../dist/train.mjs';
import { dataOptions, evaluationOf, evaluationOfFile, firstOf, splitData, starterOf } from './kept-back.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    ...dataOptions,
    out: text,
    sizes: { ...text, default: '3,5,10,20' },
    types: { ...text, default: 'mixed' },
    steps: text,
    minutes: text,
  },
});
if (!values.data || !values.out) throw new Error('--data and --out are needed');
const out = resolve(values.out);
mkdirSync(out, { recursive: true });
const seed = Number(values.seed);
const length = values.steps ? { steps: Number(values.steps) } : { minutes: Number(values.minutes ?? 10) };
const { data, train, keptBack } = await splitData(values);

const groups =
  values.types === 'each'
    ? data.cellTypes.map((type) => [type, (item) => item.cellType === type])
    : [['mixed', () => true]];
const points = [];
for (const [group, belongs] of groups) {
  const pool = train.items.filter(belongs);
  const test = keptBack.items.filter(belongs);
  let start;
  for (const count of values.sizes.split(',').map(Number)) {
    if (count > pool.length) {
      console.log(`${group} ${count}: only ${pool.length} images are left for training`);
      continue;
    }
    const folder = join(out, `${group}-${count}`);
    const ids = firstOf(pool, count, seed).map(({ id }) => id);
    const summary = await finetune(train.filter({ ids }), {
      out: folder,
      seed,
      resume: existsSync(join(folder, 'finetune.json')),
      ...(existsSync(join(folder, 'finetune.json')) ? {} : length),
      onEvent: (event) => {
        if (event.kind === 'training' && event.event.kind === 'step' && event.event.step % 20 === 0) {
          console.log(`${group} ${count}: step ${event.event.step}, loss ${event.event.total.toFixed(3)}`);
        }
      },
    });
    const ensemble = await RoutedEnsemble.load(folder);
    const evaluation = await evaluationOf((image) => ensemble.segment(image), test);
    await ensemble.dispose();
    if (!start) {
      const { path, thresholds } = await starterOf(summary);
      start = await evaluationOfFile(path, thresholds, test);
    }
    const comparison = compareEvaluations(start, evaluation);
    points.push({
      group,
      images: count,
      keptBack: test.length,
      start: start.kaggle.mean,
      score: evaluation.kaggle.mean,
      interval: evaluation.intervals.kaggle,
      difference: comparison.difference,
      differenceInterval: comparison.interval,
      perCellType: Object.fromEntries(
        Object.entries(evaluation.perCellType ?? {}).map(([type, own]) => [type, own.kaggle.mean]),
      ),
      heldOut: summary.scores,
      result: summary.result,
      from: summary.start.name,
      scale: summary.scale,
      steps: summary.training.steps,
      thresholds: summary.thresholds,
      seconds: summary.seconds,
    });
    console.log(JSON.stringify(points.at(-1)));
    await report();
  }
}

async function report() {
  const three = (number) => number.toFixed(3);
  writeFileSync(join(out, 'curves.json'), `${JSON.stringify({ settings: values, points }, null, 2)}\n`);
  writeFileSync(
    join(out, 'curves.md'),
    [
      '| images of | images | kept back | start | fine-tuned (95 % interval) | gain (95 % interval) | steps | minutes |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
      ...points.map(
        ({
          group,
          images,
          keptBack: kept,
          start,
          score,
          interval,
          difference,
          differenceInterval,
          steps,
          seconds,
        }) =>
          `| ${group} | ${images} | ${kept} | ${three(start)} | ${three(score)} (${interval.map(three).join(' to ')}) | ${three(difference)} (${differenceInterval.map(three).join(' to ')}) | ${steps} | ${(seconds / 60).toFixed(1)} |`,
      ),
      '',
    ].join('\n'),
  );
  const names = [...new Set(points.map(({ group }) => group))];
  const png = await renderPlot({
    title: 'Fine-tuning: score on kept-back images',
    xLabel: 'annotated images',
    yLabel: 'Kaggle mean',
    yRange: [0, 0.4],
    series: names.map((name) => {
      const own = points.filter(({ group }) => group === name);
      return {
        name,
        points: own.map(({ images, score }) => [images, score]),
        band: own.map(({ images, interval: [low, high] }) => [images, low, high]),
      };
    }),
  });
  writeFileSync(join(out, 'curves.png'), png);
}
