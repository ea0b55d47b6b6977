import type { LoaderOptions } from '../data/loader.js';
import type { NativeOptimizer, NativeTrainerOptions } from '../native/contract.js';
import type { Training } from './config.js';

/** What native code is told of a training. */
export function nativeTraining(config: Training): NativeTrainerOptions {
  const { trainableLayers, updateBatchStatistics, average, precision, seed } = config;
  return {
    optimizer: nativeOptimizer(config.optimizer),
    trainableLayers,
    updateBatchStatistics,
    averageDecay: average?.decay ?? null,
    precision,
    seed,
  };
}

/** Without the rates, which come with every step. */
function nativeOptimizer(optimizer: Training['optimizer']): NativeOptimizer {
  if (optimizer.kind === 'sgd') {
    const { kind, weightDecay, nesterov } = optimizer;
    return { kind, weightDecay, nesterov };
  }
  const { kind, weightDecay, beta2, eps } = optimizer;
  return { kind, weightDecay, beta2, eps };
}

/** What the loader is told of it. */
export function loaderOptions({
  batchSize,
  seed,
  transforms,
  loader,
}: Training): Omit<LoaderOptions, 'intensity'> {
  const { threads, ahead } = loader;
  return { batchSize, shuffle: true, seed, transforms, ahead, ...(threads === null ? {} : { threads }) };
}
