import type { DatasetItem } from '../data/types.js';
import { decodeImage } from '../image/decode.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import type { Masks } from '../mask/masks.js';
import { evaluate, type MetricName, metricOf } from '../metrics/index.js';
import type { CallOptions } from '../native/job.js';
import { type Candidates, candidatesOf } from './candidates.js';
import { coordinateAscent } from './coordinate-ascent.js';
import { segmentThresholds, ThresholdGrid, type ThresholdSet, type TuneGrid } from './threshold-grid.js';

export interface TuneOptions extends CallOptions {
  /** What is to be as high as can be; default `kaggle`. */
  metric?: MetricName | undefined;
  grid?: TuneGrid | undefined;
}

/** What came out for one cell type. */
export interface TunedThresholds {
  thresholds: SegmentThresholds;
  /** The metric on the images given, with the thresholds before and after. */
  before: number;
  after: number;
  images: number;
  /** Sets of thresholds that were tried. */
  tried: number;
}

interface Seen {
  id: string;
  truth: Masks;
  truthLabels: Int32Array;
  candidates: Candidates;
}

/**
 * Searches the thresholds that maximize a metric on these images. The network runs once per image. Its candidates are
 * kept in memory (about 3 KB per candidate with a 28 × 28 mask).
 */
export async function tuneSegmenter(
  segmenter: CellSegmenter,
  items: readonly DatasetItem[],
  now: SegmentThresholds,
  { metric = 'kaggle', grid = {}, signal, onProgress }: TuneOptions,
): Promise<TunedThresholds> {
  const axes = new ThresholdGrid(grid, segmenter.config, now);
  const call = signal ? { signal } : {};
  const seen: Seen[] = [];
  for (const [i, item] of items.entries()) {
    onProgress?.({ stage: 'network', fraction: i / items.length });
    const { image, masks, labels } = await item.load({ signal });
    const decoded = await decodeImage(image, call);
    const candidates = await candidatesOf(segmenter, decoded, {
      thresholds: { ...now, minScore: axes.lowestScore },
      nmsThresholds: axes.nmsThresholds,
      ...call,
    });
    seen.push({ id: item.id, truth: masks, truthLabels: labels, candidates });
  }
  const score = async (set: ThresholdSet) => {
    const scored = [];
    for (const { id, truth, truthLabels, candidates } of seen) {
      const { masks, scores, labels } = await candidates.cells(set, call);
      scored.push({ id, truth, truthLabels, predicted: masks, scores, labels });
    }
    return metricOf(await evaluate(scored, call), metric);
  };
  let tried = 0;
  const before = await score(axes.at(axes.start));
  const found = await coordinateAscent(axes.lengths, axes.start, async (point) => {
    onProgress?.({ stage: 'search', fraction: 1 - 1 / (1 + ++tried / 100) });
    return score(axes.at(point));
  });
  onProgress?.({ stage: 'done', fraction: 1 });
  return {
    // What is not searched stays as it was.
    thresholds: { ...now, ...segmentThresholds(axes.at(found.point)) },
    before,
    after: found.score,
    images: items.length,
    tried: found.tried,
  };
}
