import {
  type CocoScores,
  type Evaluation,
  type ImageSetScores,
  type Interval,
  IOU_THRESHOLDS,
} from '../metrics/index.js';
import { columns } from './columns.js';

export interface TableOptions {
  /** Add one line per image. */
  images: boolean;
  classNames?: ReadonlyMap<number, string> | undefined;
}

/** Formats an evaluation as text tables. */
export function evaluationTables(evaluation: Evaluation, { images, classNames }: TableOptions): string[] {
  const { perCellType, perClass } = evaluation;
  return [
    ...heading(evaluation),
    '',
    ...columns(metricRows(evaluation)),
    '',
    'Precision over IoU',
    ...columns(precisionRows(evaluation)),
    ...(perCellType ? ['', 'By type', ...columns(setRows(perCellType))] : []),
    ...(perClass.length > 1 ? ['', 'By class', ...columns(classRows(evaluation, classNames))] : []),
    ...(images ? ['', 'By image', ...columns(imageRows(evaluation))] : []),
  ];
}

function heading({ images, groundTruths, predictions, rules, intervals }: Evaluation): string[] {
  const { minScore, removeOverlaps, maxDets } = rules;
  const overlaps =
    removeOverlaps === false
      ? 'overlaps kept'
      : removeOverlaps.maxLost === 1
        ? 'each pixel assigned to the highest-scored prediction'
        : `each pixel assigned to the highest-scored prediction, predictions dropped that lost more than ${removeOverlaps.maxLost}`;
  const scores = minScore === null ? 'any score' : `score at least ${minScore}`;
  return [
    `${count(images, 'image')}, ${count(groundTruths, 'ground truth cell')}, ${count(predictions, 'predicted cell')} (${scores}, ${overlaps})`,
    `AP: all scores, overlaps kept, ${maxDets === 'all' ? 'all predictions' : `the ${maxDets} highest-scored predictions per image and class`}`,
    ...(intervals
      ? [
          `Intervals: ${100 * intervals.confidence} %, ${intervals.samples} bootstrap samples of images, seed ${intervals.seed}`,
        ]
      : []),
  ];
}

function metricRows(evaluation: Evaluation): string[][] {
  const { kaggle, coco, cocoBoxes, f1, panoptic, aji, countError, intervals: of } = evaluation;
  const row = (name: string, value: number | null, interval?: Interval) => [
    name,
    shown(value),
    ...(of ? [range(interval)] : []),
  ];
  return [
    row('Kaggle mean precision, IoU 0.50:0.95', kaggle.mean, of?.kaggle),
    row('AP, IoU 0.50:0.95', coco.ap, of?.ap),
    row('AP50', coco.ap50, of?.ap50),
    row('AP75', coco.ap75, of?.ap75),
    ...sizeRows(coco),
    row('AR, IoU 0.50:0.95', coco.ar, of?.ar),
    row('AP of boxes, IoU 0.50:0.95', cocoBoxes.ap, of?.boxAp),
    row(`precision at IoU ${f1.iou}`, f1.precision, of?.precision),
    row('recall', f1.recall, of?.recall),
    row('F1', f1.f1, of?.f1),
    row('panoptic quality', panoptic.pq, of?.pq),
    row('  segmentation quality', panoptic.sq, of?.sq),
    row('  recognition quality', panoptic.rq, of?.rq),
    row('aggregated Jaccard index', aji, of?.aji),
    row('count error per image (predicted - true)', countError.mean, of?.countError),
    row('  absolute, relative to all true cells', countError.relative),
  ];
}

function sizeRows({ apSmall, apMedium, apLarge }: CocoScores): string[][] {
  return [
    ['  small, up to 32² pixels', shown(apSmall)],
    ['  medium, up to 96²', shown(apMedium)],
    ['  large', shown(apLarge)],
  ];
}

function precisionRows({ kaggle, intervals }: Evaluation): string[][] {
  return [
    ['IoU', ...IOU_THRESHOLDS.map((threshold) => threshold.toFixed(2))],
    ['precision', ...kaggle.precisionAtIou.map(shown)],
    ...(intervals
      ? (['from', 'to'] as const).map((name, end) => [
          name,
          ...intervals.precisionAtIou.map((interval) => shown(interval?.[end] ?? null)),
        ])
      : []),
  ];
}

function setRows(sets: Readonly<Record<string, ImageSetScores>>): string[][] {
  const withIntervals = Object.values(sets).some(({ intervals }) => intervals);
  return [
    [
      'type',
      'images',
      'cells',
      'predicted',
      'Kaggle',
      ...(withIntervals ? ['interval'] : []),
      'AP',
      'AP50',
      'F1',
      'PQ',
      'AJI',
    ],
    ...Object.entries(sets).map(([type, set]) => [
      type,
      String(set.images),
      String(set.groundTruths),
      String(set.predictions),
      shown(set.kaggle.mean),
      ...(withIntervals ? [range(set.intervals?.kaggle)] : []),
      ...[set.coco.ap, set.coco.ap50, set.f1.f1, set.panoptic.pq, set.aji].map(shown),
    ]),
  ];
}

function classRows({ perClass }: Evaluation, names: ReadonlyMap<number, string> | undefined): string[][] {
  return [
    ['class', 'cells', 'AP', 'AP50', 'AP75', 'AR', 'PQ'],
    ...perClass.map(({ label, groundTruths, coco, panoptic }) => [
      names?.get(label) ?? String(label),
      String(groundTruths),
      ...[coco.ap, coco.ap50, coco.ap75, coco.ar, panoptic.pq].map(shown),
    ]),
  ];
}

function imageRows({ perImage }: Evaluation): string[][] {
  return [
    ['image', 'cells', 'predicted', 'Kaggle', 'precision', 'recall', 'F1', 'PQ', 'AJI'],
    ...perImage
      .toSorted((a, b) => a.kaggle - b.kaggle)
      .map((image) => [
        image.id,
        String(image.groundTruths),
        String(image.predictions),
        ...[image.kaggle, image.precision, image.recall, image.f1, image.pq, image.aji].map(shown),
      ]),
  ];
}

const shown = (value: number | null) => (value === null ? '-' : value.toFixed(3));
const range = (interval: Interval | undefined) =>
  interval ? `${shown(interval[0])} to ${shown(interval[1])}` : '';

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}
