import type { Command } from 'commander';
import { defined } from '../defined.js';
import { CellrouteError } from '../errors.js';
import { READ_KEYS } from '../image/select.js';
import { SCALE_KEYS } from '../inference/scale.js';
import { type PairedImages, type PairFilesOptions, pairFiles } from '../metrics/files/index.js';
import { type EvaluateOptions, type Evaluation, evaluate, IOU_THRESHOLDS } from '../metrics/index.js';
import { Outputs } from '../outputs.js';
import { type PlotSeries, renderPlot } from '../render/plot.js';
import { crowdsOption } from './dataset-options.js';
import { type ModelFlags, segmentDataset } from './evaluate-model.js';
import { evaluationTables } from './evaluation-tables.js';
import { columnIs, fileWith, modelOption, numberIn, withForce, withPrecision } from './options.js';
import { withReadOptions } from './read-options.js';
import { withScale } from './scale.js';
import { flagOf, overlapRemoval, removeOverlapsOption } from './thresholds.js';

interface Flags extends Omit<ModelFlags, 'images'> {
  groundTruth: string;
  pred?: string | undefined;
  model?: string | undefined;
  minScore?: number | undefined;
  /** false after --keep-overlaps. */
  removeOverlaps?: number | boolean | undefined;
  keepOverlaps?: boolean | undefined;
  iou?: number | undefined;
  maxDets?: number | undefined;
  onlyPredicted?: boolean | undefined;
  bootstrap?: number | undefined;
  seed?: number | undefined;
  images?: boolean | undefined;
  json?: boolean | undefined;
  plot?: string | undefined;
  force?: boolean | undefined;
}

export function registerEvaluate(program: Command): void {
  const whole = { integer: true };
  const command = program
    .command('evaluate')
    .description('Evaluate predictions against ground truth: AP, precision, F1, panoptic quality, counts')
    .requiredOption(
      '--ground-truth <path>',
      'ground truth: CSV with id and annotation, COCO .json, label images or a data set folder',
    )
    .option(
      '--pred <path>',
      'predictions: the same formats, COCO results, or a folder written by `cellroute segment`',
    )
    .addOption(modelOption('instead of --pred, segment the images of --ground-truth with this model: '))
    .option('--cell-type <type>', 'with --model: segment as this type instead of the predicted one')
    .option(
      '--min-score <number>',
      'use predictions with at least this score, except for AP (default: all)',
      numberIn(-1e9, 1e9),
    )
    .addOption(removeOverlapsOption('on, without a share'))
    .option('--keep-overlaps', 'keep overlapping predictions')
    .option('--iou <number>', 'IoU threshold of a match, for precision, recall and F1 (0.5)', numberIn(0, 1))
    .option(
      '--max-dets <number>',
      'predictions per image and class for AP (all; pycocotools: 100)',
      numberIn(1, 1e9, whole),
    )
    .option('--ignore-classes', 'treat all cells as one class')
    .option('--only-predicted', 'ignore images without predictions')
    .option('--where <column=value>', 'use only images with this value in a column; repeatable', columnIs)
    .option('--cell-type-column <names>', 'column with the cell type (type or cell_type)', (text: string) =>
      text.split(',').map((name) => name.trim()),
    )
    .option(
      '--categories-are-cell-types',
      "COCO's categories are cell types of whole images, not classes of cells",
    )
    .addOption(crowdsOption())
    .option('--strict', 'refuse ground truth with any entry that cannot be used')
    .option(
      '--bootstrap <samples>',
      'number of bootstrap samples for 95 % intervals',
      numberIn(2, 1_000_000, whole),
    )
    .option(
      '--seed <number>',
      'random seed of the bootstrap (0)',
      numberIn(0, Number.MAX_SAFE_INTEGER, whole),
    )
    .option('--images', 'print one line per image, worst first')
    .option('--json', 'print JSON instead of tables')
    .option('--plot <file>', 'write a PNG plot of precision over IoU', fileWith('.png'));
  withForce(withPrecision(withScale(withReadOptions(command))))
    .addHelpText(
      'after',
      `
AP uses all predictions, ranked by score. All other metrics use predictions with a score of at least --min-score, and
each pixel belongs to the highest-scored prediction that contains it. With --model, the predictions are the cells that
segment finds: --min-score, --remove-overlaps and --keep-overlaps override the thresholds of the model, and cells below
them are not in AP either. Examples:
  cellroute segment images --out run && cellroute evaluate --ground-truth train.csv --pred run --plot curve.png
  cellroute evaluate --ground-truth my-images --model my-model`,
    )
    .action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  checkFlags(flags, command);
  const outputs = new Outputs(flags);
  if (flags.plot !== undefined) await outputs.check([flags.plot]);
  const { images, classNames, notices } = await pairs(flags);
  const evaluation = await evaluate(images, evaluateOptions(flags));
  if (flags.plot !== undefined) await plot(flags.plot, evaluation, outputs);
  for (const notice of notices) console.error(notice);
  console.log(
    flags.json
      ? JSON.stringify(
          { ...evaluation, ...(classNames && { classNames: Object.fromEntries(classNames) }), notices },
          null,
          2,
        )
      : evaluationTables(evaluation, {
          images: flags.images ?? false,
          classNames,
        }).join('\n'),
  );
}

/** Ground truth with the predictions of files, or of a model. */
async function pairs(flags: Flags): Promise<PairedImages> {
  const { groundTruth, pred, model } = flags;
  if (pred !== undefined) return pairFiles(groundTruth, pred, pairOptions(flags));
  const { images: _, ...own } = flags;
  const { minScore, removeOverlaps } = evaluateOptions(flags);
  const thresholds = defined({ minScore, removeOverlaps });
  return { images: await segmentDataset(groundTruth, model!, own, thresholds), notices: [] };
}

/** Options that have no effect on the predictions of files. */
const MODEL_KEYS = ['cellType', 'precision', 'device', ...SCALE_KEYS, ...READ_KEYS] as const;

/** Refuses predictions from no or two places, and options that would have no effect. */
function checkFlags({ pred, model, onlyPredicted }: Flags, command: Command): void {
  if ((pred === undefined) === (model === undefined)) {
    const expected = 'either predictions (--pred) or a model (--model, which may be starter)';
    throw new CellrouteError('INVALID_ARGUMENT', `Expected ${expected}`, {
      option: '--pred',
      expected,
    });
  }
  const unused =
    pred === undefined
      ? onlyPredicted && 'onlyPredicted'
      : MODEL_KEYS.find((key) => command.getOptionValueSource(key) === 'cli');
  if (!unused) return;
  const option = flagOf(unused);
  const expected = `${pred === undefined ? '--pred' : '--model'} with ${option}`;
  throw new CellrouteError('INVALID_ARGUMENT', `Expected ${expected}`, { option, expected });
}

function pairOptions(flags: Flags): PairFilesOptions {
  const { onlyPredicted, ignoreClasses, where, cellTypeColumn, categoriesAreCellTypes, crowds, strict } =
    flags;
  return {
    onlyPredicted,
    ignoreClasses,
    where,
    cellTypeColumn,
    ...(categoriesAreCellTypes && { categories: 'cell-types' }),
    crowds,
    strict,
  };
}

function evaluateOptions({
  minScore,
  removeOverlaps,
  keepOverlaps,
  iou,
  maxDets,
  bootstrap,
  seed,
}: Flags): EvaluateOptions {
  if (keepOverlaps && removeOverlaps !== undefined) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      'Options --remove-overlaps and --keep-overlaps cannot be combined',
      {
        option: '--keep-overlaps',
      },
    );
  }
  return {
    minScore,
    ...(keepOverlaps && { removeOverlaps: false }),
    ...(removeOverlaps !== undefined && { removeOverlaps: overlapRemoval(removeOverlaps) }),
    iou,
    maxDets,
    bootstrap: bootstrap === undefined ? undefined : { samples: bootstrap, seed },
  };
}

/** Plots all images, with the confidence interval if there is one, and each type. */
async function plot(file: string, evaluation: Evaluation, outputs: Outputs): Promise<void> {
  const points = (values: readonly number[]) =>
    IOU_THRESHOLDS.map((threshold, i) => [threshold, values[i]!] as const);
  const { intervals } = evaluation;
  const shade = intervals ? `, shaded ${100 * intervals.confidence} %` : '';
  const all = `all images, mean ${evaluation.kaggle.mean.toFixed(3)}${shade}`;
  const series: PlotSeries[] = [
    {
      name: all,
      points: points(evaluation.kaggle.precisionAtIou),
      ...(intervals && {
        band: intervals.precisionAtIou.map(
          (ends, i) => [IOU_THRESHOLDS[i]!, ends?.[0] ?? Number.NaN, ends?.[1] ?? Number.NaN] as const,
        ),
      }),
    },
    ...Object.entries(evaluation.perCellType ?? {}).map(([type, { kaggle }]) => ({
      name: `${type}, mean ${kaggle.mean.toFixed(3)}`,
      points: points(kaggle.precisionAtIou),
    })),
  ];
  const png = await renderPlot({
    title: 'Precision over IoU: TP / (TP + FP + FN)',
    xLabel: 'IoU threshold',
    yLabel: 'precision',
    yRange: [0, 1],
    series,
  });
  await outputs.write(file, png);
}
