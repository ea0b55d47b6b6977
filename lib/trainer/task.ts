import type { DeepPartial } from '../config/schema.js';
import type { Dataset } from '../data/dataset.js';
import type { Batch } from '../data/types.js';
import type { NativeStep, NativeStepResult } from '../native/contract.js';
import type { CallOptions } from '../native/job.js';
import type { TensorSource } from '../weights/source.js';
import type { Training } from './config.js';
import type { StartReport } from './network.js';

/** The types that differ between training a segmenter and training a classifier. */
export interface TrainingTypes {
  /** Complete training configuration. */
  config: Training;
  /** Complete configuration of the network. */
  network: object;
  /** One image of a batch. */
  sample: unknown;
  /** The network for inference, at one step. */
  snapshot: Snapshot;
  /** Names of the losses. */
  loss: string;
  /** Result of a validation. */
  evaluation: unknown;
}

/** A snapshot of a network for inference, as used by the training loop. */
export interface Snapshot {
  /** Writes the network to a weights file. */
  save(path: string): Promise<void>;
  /** Frees its memory. */
  dispose(): Promise<void>;
}

/** A network in training, as used by the training loop; implemented by {@link TrainingNetwork}. */
export interface TrainableNetwork<T extends TrainingTypes> {
  /** A step that rejects has changed nothing. */
  step(samples: readonly T['sample'][], step: NativeStep, options?: CallOptions): Promise<NativeStepResult>;
  snapshot(weights: 'current' | 'average', options?: CallOptions): Promise<T['snapshot']>;
  /** The complete state. */
  tensors(): TensorSource[];
  /** Reads the complete state from a checkpoint. */
  restore(path: string, options?: CallOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Batches that depend only on epoch and step. */
export interface Batches<Sample> {
  readonly stepsPerEpoch: number;
  batches(epoch: number, fromStep?: number, signal?: AbortSignal): AsyncGenerator<Batch<Sample>>;
}

/** Result of a validation. */
export interface ValidationResult<Evaluation> {
  metric: string;
  /** Higher is better; NaN if the metric is undefined. */
  score: number;
  /** Breaks ties between equal scores; higher is better. */
  tie?: number;
  figures: Record<string, number>;
  confusion?: readonly (readonly number[])[];
  evaluation: Evaluation;
  /** Draws some of the images with their predictions, as PNG; undefined if none are drawn. */
  sheet?: (() => Promise<Buffer>) | undefined;
}

/** Evaluates a snapshot on the validation images. */
export type Validate<T extends TrainingTypes> = (
  snapshot: T['snapshot'],
  signal?: AbortSignal,
) => Promise<ValidationResult<T['evaluation']>>;

/** The operations that differ between training a segmenter and training a classifier. */
export interface TrainingTask<T extends TrainingTypes> {
  name: 'segmenter' | 'classifier';
  readConfig(given: DeepPartial<T['config']>, path: string): T['config'];
  /** Complete network configuration, from the training configuration and the start file. */
  resolveNetwork(config: T['config'], data: Dataset): Promise<T['network']>;
  /** Complete network configuration of a stored training configuration. */
  readNetwork(config: T['config']): T['network'];
  /** The data set without unusable images, and notices about it. */
  prepare(data: Dataset, network: T['network'], config: T['config']): { data: Dataset; notices: string[] };
  /** Creates the network, and a function that loads the start file. */
  create(
    config: T['config'],
    network: T['network'],
    data: Dataset,
    options: CallOptions,
  ): Promise<{ network: TrainableNetwork<T>; begin(): Promise<StartReport | undefined> }>;
  loader(config: T['config'], network: T['network'], data: Dataset): Batches<T['sample']>;
  validate(config: T['config'], network: T['network'], data: Dataset): Validate<T>;
}
