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
 * Evaluates predicted masks with all metrics. IoUs are computed once per image from the run-length encoded masks. The
 * computation runs off the event loop on several threads.
 *
 * - `kaggle`: the competition's precision, mean over IoU 0.5 to 0.95. A prediction is correct if its IoU
 *   with a ground truth cell is above the threshold.
 * - `coco`, `cocoBoxes`: AP and AR, equal to pycocotools' COCOeval. Equal scores are ordered by the order of the images.
 * - `f1`: precision, recall and F1 for an IoU of at least a threshold, with the matching of stardist's `matching`.
 * - `panoptic`: PQ, SQ and RQ of pairs with equal class and an IoU above 0.5, over all images together.
 * - `aji`: Kumar's aggregated Jaccard index, mean over the images.
 * - `countError`: errors of the number of cells per image.
 *
 * COCO's metrics and panoptic quality are means over the classes; all other metrics ignore classes. A crowd is not a
 * ground truth cell. A prediction without a match that has more than half of its pixels in a crowd is ignored. A ratio is
 * 1 if there is neither a ground truth cell nor a prediction; COCO's metrics are null without ground truth.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options and images, naming the value; `signal.reason` when aborted.
 */
export async function evaluate(
  images: readonly EvaluatedImage[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const rules = checkOptions(options);
  if (!Array.isArray(images) || images.length === 0) {
    throw refuse('images', 'at least one image', images);
  }
  const checked = images.map(checkImage);
  const seen = new Set<string>();
  images.forEach(({ id }, i) => {
    if (seen.has(id)) throw refuse(`images[${i}].id`, 'a unique id', id);
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
    perClass: answer.classes.map(({ label, groundTruths, summary }) =>
      classScores(label, groundTruths, summary, rules),
    ),
    perImage,
  };
}

function imageScores({ id, cellType }: Named, columns: NativeEvaluation['images'], i: number): ImageScores {
  const [tp, fp, fn] = [columns.truePositives[i]!, columns.falsePositives[i]!, columns.falseNegatives[i]!];
  // Same rule as native code has for sets: 1 if there are no cells at all, 0 if only one side has cells.
  const share = (part: number, whole: number) => (tp + fp + fn === 0 ? 1 : whole === 0 ? 0 : part / whole);
  return {
    id,
    ...defined({ cellType }),
    groundTruths: columns.groundTruths[i]!,
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
    countError: columns.predictions[i]! - columns.groundTruths[i]!,
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
      truePositives: summary.truePositives,
      falsePositives: summary.falsePositives,
      falseNegatives: summary.falseNegatives,
    },
    panoptic: { pq: summary.pq, sq: summary.sq, rq: summary.rq },
    aji: summary.aji,
    countError: {
      mean: summary.countBias,
      meanAbsolute: summary.countAbsolute,
      relative: nullIfNaN(summary.countRelative),
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
    ap: nullIfNaN(summary[`${kind}Ap`]),
    ap50: nullIfNaN(summary[`${kind}Ap50`]),
    ap75: nullIfNaN(summary[`${kind}Ap75`]),
    ar: nullIfNaN(summary[`${kind}Ar`]),
    apSmall: nullIfNaN(summary[`${kind}ApSmall`]),
    apMedium: nullIfNaN(summary[`${kind}ApMedium`]),
    apLarge: nullIfNaN(summary[`${kind}ApLarge`]),
    arSmall: nullIfNaN(summary[`${kind}ArSmall`]),
    arMedium: nullIfNaN(summary[`${kind}ArMedium`]),
    arLarge: nullIfNaN(summary[`${kind}ArLarge`]),
  };
}

function classScores(
  label: number,
  groundTruths: number,
  summary: NativeSummary,
  rules: NativeMetricsOptions,
): ClassScores {
  return {
    label,
    groundTruths,
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

/** Converts NaN to null, because JSON has no NaN. */
function nullIfNaN(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
