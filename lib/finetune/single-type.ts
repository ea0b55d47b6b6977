import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { DatasetItem } from '../data/types.js';
import { dataStatistics } from '../ensembles/data-statistics.js';
import { CellClassifier } from '../inference/classifier.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { starterFolder } from '../inference/ensemble-file.js';
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
    images,
  }: {
    cellType: string;
    weights: string;
    config?: PartialMaskRCNNConfig;
    thresholds: SegmentThresholds;
    /** Of which statistics are stored, so that other types can be added without them. */
    images: readonly DatasetItem[];
  },
  signal?: AbortSignal,
): Promise<void> {
  const call = signal ? { signal } : {};
  const segmenter = await CellSegmenter.load(weights, { ...(config && { config }), ...call });
  const classifier = await singleTypeRouter(cellType, call, ON_CPU);
  // The one type needs no router; one that tells it from others has the starter's network.
  await using router = await CellClassifier.load(starterFolder, call);
  const statistics = await dataStatistics(router, new Map([[cellType, images]]), call);
  await using ensemble = new RoutedEnsemble({
    classifier,
    segmenters: { [cellType]: segmenter },
    thresholds: { [cellType]: thresholds },
    statistics,
  });
  await ensemble.save(folder);
}
