import { checkOptions, checkString } from '../check.js';
import { checkReadOptions, READ_KEYS } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';
import { CALL_OPTION_KEYS, type CallOptions } from '../native/job.js';
import { checkQueueOptions, QUEUE_OPTION_KEYS, type QueueOptions } from './queue.js';
import { checkScale, SCALE_KEYS, type ScaleOptions } from './scale.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';
import { checkTiles, type Tiles } from './tiles.js';

/** Options of {@link CellSegmenter.segment}. */
export interface SegmentOptions
  extends SegmentThresholds,
    ScaleOptions,
    ImageReadOptions,
    CallOptions,
    QueueOptions {
  /**
   * Whether the image is cut into overlapping tiles, whose cells are then joined: memory grows with the tile and not
   * with the image. Default `auto`: images of more than 2048 × 2048 pixels are cut. Intensities are scaled over the
   * whole image. `detectionsPerImage` applies to the whole image where it is given, else the model's own to each tile.
   *
   * Unless `tiles` is `false`, limits of detections and proposals that you do not set are raised where an image or tile
   * reaches them, and the image is segmented again: a dense image loses no cells. With `minScore` below 0.1 they stay.
   */
  tiles?: Tiles | undefined;
  /** Name of the image in the result. Default: the file name of a path, URL or File. */
  name?: string | undefined;
}

/** Refuses unknown options of `segment`; `more` are additional keys. */
export function checkSegmentOptions(options: SegmentOptions, more: readonly string[]): void {
  checkOptions(options, [
    ...more,
    ...THRESHOLD_KEYS,
    ...SCALE_KEYS,
    'tiles',
    'name',
    ...READ_KEYS,
    ...CALL_OPTION_KEYS,
    ...QUEUE_OPTION_KEYS,
  ]);
  if (options.name !== undefined) checkString('name', options.name);
  checkReadOptions(options);
  checkQueueOptions(options);
  checkThresholds(options, '');
  checkScale(options);
  checkTiles(options.tiles);
}
