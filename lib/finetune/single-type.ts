import { classifierConfig } from '../config/classifier.js';
import type { PartialMaskRCNNConfig } from '../config/mask-rcnn.js';
import type { CellClassifier } from '../inference/classifier.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { classifierTraining } from '../trainer/config.js';
import { nativeTraining } from '../trainer/native-training.js';
import { ClassifierNetwork } from '../trainer/network.js';

/** The smallest router: with one class its answer does not depend on its weights. */
async function routerOf(type: string, signal: AbortSignal | undefined): Promise<CellClassifier> {
  const config = classifierConfig({
    backbone: { depth: 18, width: 1 },
    classNames: [type],
    resize: { width: 32, height: 32, method: 'squish' },
    intensity: { kind: 'percentile', low: 0.1, high: 99.9 },
  });
  const call = signal ? { signal } : {};
  const training = { ...nativeTraining(classifierTraining({ seed: 0 })), classWeights: [] };
  const network = await ClassifierNetwork.create(config, training, call);
  try {
    return await network.snapshot('current', call);
  } finally {
    await network.dispose();
  }
}

/**
 * Writes a segmenter as an ensemble of one type, which every command accepts as a model.
 *
 * @param config the parts of the network's configuration that differ from the file's.
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
  const classifier = await routerOf(cellType, signal);
  await using ensemble = new RoutedEnsemble({
    classifier,
    segmenters: { [cellType]: segmenter },
    thresholds: { [cellType]: thresholds },
  });
  await ensemble.save(folder);
}
