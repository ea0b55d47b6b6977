import { classifierConfig } from '../config/classifier.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';
import { CellClassifier } from './classifier.js';
import { LoadedModel } from './model.js';

/** Name of the only type of an ensemble that is one segmenter, where it has no other. */
export const SINGLE_TYPE = 'cells';

/** The smallest router: with one class its answer does not depend on its weights, which are random. */
export async function singleTypeRouter(
  type: string,
  options: CallOptions,
  place: ExecutionTarget,
): Promise<CellClassifier> {
  const config = classifierConfig({
    backbone: { depth: 18, width: 1 },
    classNames: [type],
    resize: { width: 32, height: 32, method: 'squish' },
    intensity: { kind: 'percentile', low: 0.1, high: 99.9 },
  });
  const training = {
    optimizer: { kind: 'sgd', weightDecay: 0, nesterov: false } as const,
    trainableLayers: 5,
    updateBatchStatistics: true,
    averageDecay: null,
    precision: 'float32' as const,
    deterministic: false,
    seed: 0,
    classWeights: [],
  };
  const trainer = await runJob(
    options,
    (nativeCall) => native().createClassifierTrainer(config, training, nativeCall),
    { place },
  );
  try {
    const { model } = await runJob(
      options,
      (nativeCall) => native().snapshotTrainer(trainer, 'current', nativeCall),
      { place },
    );
    return CellClassifier.of(config, new LoadedModel('classifier', model, place));
  } finally {
    call(() => native().releaseTrainer(trainer));
  }
}
