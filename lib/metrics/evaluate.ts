import { refuse } from '../check.js';
import { defined } from '../defined.js';
import type {
  NativeEvaluation,
  NativeMetric,
  NativeMetricsOptions,
  NativeSummary,
} from '../native/contract.js';
import { runJob } from '../native/job.js';
import { native } from '../native/load.js';
import { checkImage, checkOptions, IOU_THRESHOLDS } from './check.js';
import type {
  ClassScores,
  CocoScores,
  EvaluatedImage,
  EvaluateOptions,
  Evaluation,
  ImageScores,
  ImageSetScores,
  Interval,
  Intervals,
} from './types.js';

/**
 * Evaluates predicted masks by all metrics at once. IoUs are computed once per image, on the masks' runs; the work is done
 * off the event loop, on several threads.
 *
 * - `kaggle`: the competition's mean precision over IoU 0.5 to 0.95, where a prediction is right if its IoU with some
 *   truth is above the threshold;
 * - `coco`, `cocoBoxes`: AP and AR, number for number what pycocotools' COCOeval computes. Images stand in for COCO's
 *   images in the order given, which settles equal scores;
 * - `f1`: precision, recall and F1 at one IoU or more, as stardist's `matching` pairs cells;
 * - `panoptic`: PQ, SQ, RQ of pairs of one class above an IoU of 0.5, over all images together;
 * - `aji`: Kumar's aggregated Jaccard index, the mean of the images';
 * - `countError`: of cells per image.
 *
 * COCO's metrics and panoptic quality are means over the classes; all others take no notice of classes. A crowd is no
 * truth, and a prediction that hits nothing and lies with more than half of its pixels in one is not counted at all.
 * Where there is nothing to find and nothing was found, a ratio is 1; COCO's are null where there is no truth.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options and images, by name; `signal.reason` when aborted.
 */
export async function evaluate(
  images: readonly EvaluatedImage[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const rules = checkOptions(options);
  if (!Array.isArray(images) || images.length === 0) {
    throw refuse('images', 'an image or more', images);
  }
  const checked = images.map(checkImage);
  const seen = new Set<string>();
  images.forEach(({ id }, i) => {
    if (seen.has(id)) throw refuse(`images[${i}].id`, 'an id that no other image has', id);
    seen.add(id);
  });
  const types = [...new Set(images.flatMap(({ cellType }) => cellType ?? []))].sort();
  const groups = types.map((type) =>
    Uint32Array.from(images.flatMap((image, i) => (image.cellType === type ? [i] : []))),
  );
  const named = images.map(({ id, cellType }): Named => ({ id, cellType }));
  const answer = await runJob(options, (call) => native().evaluateMasks(checked, groups, rules, call));
  return assemble(named, types, groups, rules, answer);
}

type Named = Pick<EvaluatedImage, 'id' | 'cellType'>;

function assemble(
  images: readonly Named[],
  types: readonly string[],
  groups: readonly Uint32Array[],
  rules: NativeMetricsOptions,
  answer: NativeEvaluation,
): Evaluation {
  const perImage = images.map((image, i) => imageScores(image, answer.images, i));
  const scoresOf = (group: number, members: readonly ImageScores[]) =>
    setScores(answer.groups[group]!, members, rules);
  const { minScore, maxLost, iou } = rules;
  return {
    rules: {
      minScore: Number.isFinite(minScore) ? minScore : null,
      removeOverlaps: maxLost === null ? false : { maxLost },
      iou,
      maxDets: rules.maxDets ?? 'all',
    },
    ...scoresOf(0, perImage),
    ...(types.length > 0 && {
      perCellType: Object.fromEntries(
        types.map((type, k) => [
          type,
          scoresOf(
            k + 1,
            Array.from(groups[k]!, (i) => perImage[i]!),
          ),
        ]),
      ),
    }),
    perClass: answer.classes.map(({ label, truths, summary }) => classScores(label, truths, summary, rules)),
    perImage,
  };
}

function imageScores({ id, cellType }: Named, columns: NativeEvaluation['images'], i: number): ImageScores {
  const [tp, fp, fn] = [columns.hits[i]!, columns.falseAlarms[i]!, columns.misses[i]!];
  // As native code has them for sets: 1 where there is nothing at all, 0 where one side is missing.
  const share = (part: number, whole: number) => (tp + fp + fn === 0 ? 1 : whole === 0 ? 0 : part / whole);
  return {
    id,
    ...defined({ cellType }),
    groundTruths: columns.truths[i]!,
    predictions: columns.predictions[i]!,
    kaggle: columns.kaggle[i]!,
    precisionAtIou: Array.from(
      columns.precision.subarray(i * IOU_THRESHOLDS.length, (i + 1) * IOU_THRESHOLDS.length),
    ),
    precision: share(tp, tp + fp),
    recall: share(tp, tp + fn),
    f1: share(2 * tp, 2 * tp + fp + fn),
    truePositives: tp,
    falsePositives: fp,
    falseNegatives: fn,
    pq: columns.pq[i]!,
    aji: columns.aji[i]!,
    countError: columns.predictions[i]! - columns.truths[i]!,
  };
}

const PRECISIONS = IOU_THRESHOLDS.map(
  (threshold) => `precision${Math.round(100 * threshold)}` as NativeMetric,
);

function setScores(
  { summary, low, high }: NativeEvaluation['groups'][number],
  members: readonly ImageScores[],
  rules: NativeMetricsOptions,
): ImageSetScores {
  const sum = (of: (image: ImageScores) => number) => members.reduce((total, image) => total + of(image), 0);
  return {
    images: members.length,
    groundTruths: sum(({ groundTruths }) => groundTruths),
    predictions: sum(({ predictions }) => predictions),
    kaggle: { mean: summary.kaggle, precisionAtIou: PRECISIONS.map((name) => summary[name]) },
    coco: cocoScores(summary, 'segm', rules),
    cocoBoxes: cocoScores(summary, 'bbox', rules),
    f1: {
      iou: rules.iou,
      precision: summary.precision,
      recall: summary.recall,
      f1: summary.f1,
      truePositives: summary.hits,
      falsePositives: summary.falseAlarms,
      falseNegatives: summary.misses,
    },
    panoptic: { pq: summary.pq, sq: summary.sq, rq: summary.rq },
    aji: summary.aji,
    countError: {
      mean: summary.countBias,
      meanAbsolute: summary.countAbsolute,
      relative: known(summary.countRelative),
    },
    ...(low && high && { intervals: intervalsOf(low, high, rules) }),
  };
}

function cocoScores(
  summary: NativeSummary,
  kind: 'segm' | 'bbox',
  { maxDets }: NativeMetricsOptions,
): CocoScores {
  return {
    maxDets: maxDets ?? 'all',
    ap: known(summary[`${kind}Ap`]),
    ap50: known(summary[`${kind}Ap50`]),
    ap75: known(summary[`${kind}Ap75`]),
    ar: known(summary[`${kind}Ar`]),
    apSmall: known(summary[`${kind}ApSmall`]),
    apMedium: known(summary[`${kind}ApMedium`]),
    apLarge: known(summary[`${kind}ApLarge`]),
    arSmall: known(summary[`${kind}ArSmall`]),
    arMedium: known(summary[`${kind}ArMedium`]),
    arLarge: known(summary[`${kind}ArLarge`]),
  };
}

function classScores(
  label: number,
  truths: number,
  summary: NativeSummary,
  rules: NativeMetricsOptions,
): ClassScores {
  return {
    label,
    groundTruths: truths,
    coco: cocoScores(summary, 'segm', rules),
    cocoBoxes: cocoScores(summary, 'bbox', rules),
    panoptic: { pq: summary.pq, sq: summary.sq, rq: summary.rq },
  };
}

function intervalsOf(
  low: NativeSummary,
  high: NativeSummary,
  { samples, seed, confidence }: NativeMetricsOptions,
): Intervals {
  const of = (name: NativeMetric): Interval => (Number.isNaN(low[name]) ? null : [low[name], high[name]]);
  return {
    samples,
    seed,
    confidence,
    kaggle: of('kaggle'),
    precisionAtIou: PRECISIONS.map(of),
    ap: of('segmAp'),
    ap50: of('segmAp50'),
    ap75: of('segmAp75'),
    ar: of('segmAr'),
    boxAp: of('bboxAp'),
    boxAp50: of('bboxAp50'),
    boxAp75: of('bboxAp75'),
    boxAr: of('bboxAr'),
    precision: of('precision'),
    recall: of('recall'),
    f1: of('f1'),
    pq: of('pq'),
    sq: of('sq'),
    rq: of('rq'),
    aji: of('aji'),
    countError: of('countBias'),
  };
}

/** null, which JSON knows, for NaN, which it does not. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
