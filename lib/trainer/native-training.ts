import type { LoaderOptions } from '../data/loader.js';
import { CellrouteError } from '../errors.js';
import { placeOn } from '../inference/device.js';
import type { NativeOptimizer, NativeTrainerOptions } from '../native/contract.js';
import type { CallOptions, ExecutionTarget } from '../native/job.js';
import type { Training } from './config.js';

/** Options of a native trainer. */
export function nativeTraining(config: Training): NativeTrainerOptions {
  const { trainableLayers, updateBatchStatistics, average, precision, deterministic, seed } = config;
  return {
    optimizer: nativeOptimizer(config.optimizer),
    trainableLayers,
    updateBatchStatistics,
    averageDecay: average?.decay ?? null,
    // TF32 is float32 with faster products; it is a property of the execution target.
    precision: precision === 'tf32' ? 'float32' : precision,
    deterministic,
    seed,
  };
}

/** Device and arithmetic of a training. */
export async function placeOfTraining(
  { device, precision }: Training,
  options: CallOptions,
): Promise<ExecutionTarget> {
  const place = await placeOn(device, options);
  if (precision === 'tf32' && place.device === 'cpu') {
    throw new CellrouteError(
      'PLATFORM_UNSUPPORTED',
      "Precision 'tf32' is supported only on a GPU: use device 'cuda', or precision 'float32' or 'bfloat16' on the CPU.",
      { option: 'precision', expected: 'float32 or bfloat16', got: 'tf32' },
    );
  }
  return { ...place, tf32: precision === 'tf32' };
}

/** The optimizer without its rates, which are passed with every step. */
function nativeOptimizer(optimizer: Training['optimizer']): NativeOptimizer {
  if (optimizer.kind === 'sgd') {
    const { kind, weightDecay, nesterov } = optimizer;
    return { kind, weightDecay, nesterov };
  }
  const { kind, weightDecay, beta2, eps } = optimizer;
  return { kind, weightDecay, beta2, eps };
}

/** Options of the data loader. */
export function loaderOptions({
  batchSize,
  seed,
  transforms,
  loader,
}: Training): Omit<LoaderOptions, 'intensity'> {
  const { threads, ahead } = loader;
  return { batchSize, shuffle: true, seed, transforms, ahead, threads: threads ?? undefined };
}
