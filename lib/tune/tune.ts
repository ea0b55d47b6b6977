import type { DatasetItem } from '../data/types.js';
import { SCALE_KEYS, type ScaleOptions } from '../inference/scale.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { type MetricName, metricOf } from '../metrics/index.js';
import type { CallOptions } from '../native/job.js';
import { evaluateAt, predictImages, searchThresholds } from './search.js';
import { segmentThresholds, ThresholdGrid, type TuneGrid } from './threshold-grid.js';

/** Options of {@link tuneEnsemble}. The scale options say how large the cells of all images are, as in
 * `segment`. Default: the scale of the data set. */
export interface TuneOptions extends CallOptions, ScaleOptions {
  /** Metric to maximize. Default `kaggle`. */
  metric?: MetricName | undefined;
  grid?: TuneGrid | undefined;
}

/** Result for one cell type. */
export interface TunedThresholds {
  thresholds: SegmentThresholds;
  /** The metric on the images, with the previous and the new thresholds. */
  before: number;
  after: number;
  images: number;
  /** Number of threshold sets that were evaluated. */
  tried: number;
  /** Notices about the images, such as unread planes: one sentence each, after the image's id. */
  notices: readonly string[];
}

/** Searches the thresholds that maximize a metric on these images. The network runs once per image. */
export async function tuneSegmenter(
  segmenter: CellSegmenter,
  items: readonly DatasetItem[],
  now: SegmentThresholds,
  { metric = 'kaggle', grid = {}, signal, onProgress, ...scale }: TuneOptions,
): Promise<TunedThresholds> {
  const axes = new ThresholdGrid(grid, segmenter.config, now);
  const call = signal ? { signal } : {};
  const predicted = await predictImages(segmenter, items, {
    axes,
    now,
    ...(SCALE_KEYS.some((key) => scale[key] !== undefined) && { scale }),
    ...call,
    ...(onProgress && { onProgress }),
  });
  let tried = 0;
  const before = metricOf(await evaluateAt(predicted, axes.at(axes.start), call), metric);
  const found = await searchThresholds(predicted, axes, metric, call, () =>
    onProgress?.({ stage: 'search', fraction: 1 - 1 / (1 + ++tried / 100) }),
  );
  onProgress?.({ stage: 'done', fraction: 1 });
  return {
    // Thresholds that are not tuned are unchanged.
    thresholds: { ...now, ...segmentThresholds(axes.at(found.point)) },
    before,
    after: found.score,
    images: items.length,
    tried: found.tried,
    notices: predicted.flatMap(({ id, notices }) => notices.map((notice) => `${id}: ${notice}`)),
  };
}
