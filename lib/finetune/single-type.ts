import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { CellSegmenter } from '../inference/segmenter.js';
import { singleTypeRouter } from '../inference/single-type.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { ON_CPU } from '../native/job.js';

/**
 * Writes an ensemble of one cell type, which every command accepts as a model.
 *
 * @param config overrides of the configuration in the weights file.
 */
export async function writeSingleType(
  folder: string,
  {
    cellType,
    weights,
    config,
    thresholds,
  }: {
    cellType: string;
    weights: string;
    config?: PartialMaskRCNNConfig;
    thresholds: SegmentThresholds;
  },
  signal?: AbortSignal,
): Promise<void> {
  const call = signal ? { signal } : {};
  const segmenter = await CellSegmenter.load(weights, { ...(config && { config }), ...call });
  const classifier = await singleTypeRouter(cellType, call, ON_CPU);
  await using ensemble = new RoutedEnsemble({
    classifier,
    segmenters: { [cellType]: segmenter },
    thresholds: { [cellType]: thresholds },
  });
  await ensemble.save(folder);
}
