import type { LoaderOptions } from '../data/loader.js';
import { CellrouteError } from '../errors.js';
import { placeOn } from '../inference/device.js';
import type { NativeOptimizer, NativeTrainerOptions } from '../native/contract.js';
import type { CallOptions, ExecutionTarget } from '../native/job.js';
import type { Training } from './config.js';

/** What native code is told of a training. */
export function nativeTraining(config: Training): NativeTrainerOptions {
  const { trainableLayers, updateBatchStatistics, average, precision, deterministic, seed } = config;
  return {
    optimizer: nativeOptimizer(config.optimizer),
    trainableLayers,
    updateBatchStatistics,
    averageDecay: average?.decay ?? null,
    // TF32 is how float32 is multiplied, and belongs to the place.
    precision: precision === 'tf32' ? 'float32' : precision,
    deterministic,
    seed,
  };
}

/** Where the network trains. */
export async function placeOfTraining(
  { device, precision }: Training,
  options: CallOptions,
): Promise<ExecutionTarget> {
  const place = await placeOn(device, options);
  if (precision === 'tf32' && place.device === 'cpu') {
    throw new CellrouteError(
      'PLATFORM_UNSUPPORTED',
      "Precision 'tf32' is a GPU's: train with device 'cuda', or with 'float32' or 'bfloat16' on the CPU.",
      { option: 'precision', expected: 'float32 or bfloat16', got: 'tf32' },
    );
  }
  return { ...place, tf32: precision === 'tf32' };
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
