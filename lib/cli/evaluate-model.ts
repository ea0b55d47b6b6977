import { checkAnnotated } from '../data/annotated.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { type ScaleOptions, scaleOptionsIn } from '../inference/scale.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import type { EvaluatedImage } from '../metrics/index.js';
import { segmentItems } from '../metrics/segment-items.js';
import { progressBar } from './batch.js';
import { type DatasetFlags, openWithFlags, withColumns } from './dataset-options.js';
import type { PrecisionFlag } from './options.js';

/** Flags of an evaluation of a model on a data set. */
export interface ModelFlags extends DatasetFlags, PrecisionFlag, ScaleOptions {
  cellType?: string | undefined;
  where?: Record<string, string> | undefined;
  ignoreClasses?: boolean | undefined;
}

/**
 * Segments the images of a data set with a model.
 *
 * @param thresholds override those of the model.
 */
export async function segmentDataset(
  path: string,
  model: string,
  flags: ModelFlags,
  thresholds: SegmentThresholds,
): Promise<EvaluatedImage[]> {
  const { cellType, where = {}, precision, device, ignoreClasses = false } = flags;
  const opened = await openWithFlags(path, flags);
  checkAnnotated(opened, '--ground-truth');
  const data = withColumns(opened, where);
  await using ensemble = await RoutedEnsemble.load(model, { precision, device });
  const options = { ...thresholds, ...scaleOptionsIn(flags), cellType };
  const bar = progressBar('{bar} {value}/{total} {image}');
  bar.start(data.items.length, 0, { image: '' });
  try {
    return await segmentItems(data.items, (image) => ensemble.segment(image, options), {
      withClasses: !ignoreClasses,
      onImage: (image) => bar.increment(1, { image }),
    });
  } finally {
    bar.stop();
  }
}
