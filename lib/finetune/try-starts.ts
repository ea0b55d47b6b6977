import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SignalOptions } from '../abort.js';
import type { CellSizes } from '../data/diameters.js';
import type { DatasetItem } from '../data/types.js';
import { defined } from '../defined.js';
import { CellrouteError } from '../errors.js';
import type { Device } from '../inference/device.js';
import { findSegmenter } from '../inference/model-path.js';
import { CellSegmenter } from '../inference/segmenter.js';
import { starterSegmenters } from '../inference/starter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { type EvaluatedImage, evaluate, metricOf } from '../metrics/index.js';
import { spread } from '../trainer/samples.js';
import { scaleFor } from './recipe.js';
import type { TriedStart } from './summary.js';

/** A file that training may start from. */
export interface Start {
  name: string;
  path: string;
  /** Thresholds that it is used with; those of an ensemble. */
  thresholds: SegmentThresholds;
}

/** The starts that a name stands for: all of the starter ensemble, one of them, or the segmenter at a model path. */
export async function startsFor(name: string): Promise<Start[]> {
  const starters = (await starterSegmenters()).map(({ type, ...start }) => ({ name: type, ...start }));
  if (name === 'auto') return starters;
  const own = starters.filter((start) => start.name === name);
  if (own.length > 0) return own;
  if ((await stat(name).catch(() => undefined)) !== undefined) {
    const { file, thresholds } = await findSegmenter(name);
    // Absolute, because the call may be resumed from another working directory.
    return [{ name, path: resolve(file), thresholds }];
  }
  const expected = `auto, ${starters.map((start) => start.name).join(', ')}, or the path of a segmenter`;
  throw new CellrouteError('INVALID_ARGUMENT', `Expected ${expected} for start but received ${name}`, {
    option: 'start',
    expected,
    got: name,
  });
}

/** Images that each start is tried on at most, and pixels that its network may see of them in all. */
const MAX_IMAGES = 4;
const MAX_PIXELS = 5e6;

/** The images that a network is tried on: at least one, as many as its input may have pixels. */
function evaluationImages(items: readonly DatasetItem[], scale: number): DatasetItem[] {
  const chosen: DatasetItem[] = [];
  let pixels = 0;
  for (const item of spread(items, MAX_IMAGES)) {
    pixels += item.width * item.height * (scale * (item.scale ?? 1)) ** 2;
    if (chosen.length > 0 && pixels > MAX_PIXELS) break;
    chosen.push(item);
  }
  return chosen;
}

/** Tries a start on training images, at the scale of their cells. */
export async function tryStart(
  { name, path }: Start,
  items: readonly DatasetItem[],
  sizes: CellSizes,
  { device, signal }: SignalOptions & { device: Device },
): Promise<TriedStart & { images: number }> {
  const call = signal ? { signal } : {};
  const segmenter = await CellSegmenter.load(path, { device, precision: 'auto', ...call });
  try {
    const { config } = segmenter;
    const scale = scaleFor(config, sizes);
    const images: EvaluatedImage[] = [];
    for (const item of evaluationImages(items, scale)) {
      const { image, masks, labels } = await item.load({ signal });
      const { cells } = await segmenter.segment(image, {
        minScore: config.box.scoreThreshold,
        ...(config.trainedOn.diameter === null
          ? defined({ scale: item.scale })
          : { diameter: sizes.diameter / (item.scale ?? 1) }),
        detectionsPerImage: Math.max(config.box.detectionsPerImage, sizes.maxPerImage),
        ...call,
      });
      images.push({
        id: item.id,
        groundTruth: masks,
        groundTruthLabels: labels.map(() => 1),
        predicted: cells.masks,
        scores: cells.scores,
        // The classes of the start mean nothing for this data.
        labels: cells.labels.map(() => 1),
      });
    }
    const evaluation = await evaluate(images, { minScore: 0.5, ...call });
    const ap50 = metricOf(evaluation, 'ap50');
    return {
      name,
      scale,
      ap50: Number.isFinite(ap50) ? ap50 : 0,
      kaggle: metricOf(evaluation, 'kaggle'),
      images: images.length,
    };
  } finally {
    await segmenter.dispose();
  }
}
