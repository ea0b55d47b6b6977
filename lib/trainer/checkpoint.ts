import { checkObject } from '../check.js';
import { literal, object, type Read, type Reader, required, text } from '../config/schema.js';
import { version } from '../config/shared.js';
import { CellrouteError } from '../errors.js';
import { openWeights } from '../weights/open.js';
import type { TensorSource } from '../weights/source.js';
import { writeWeights } from '../weights/write.js';
import type { Environment } from './environment.js';
import { readPosition } from './position.js';

/** Where a checkpoint's metadata carries the state of its run, as JSON. */
const TRAINING_KEY = 'cellroute.training';

const anything: Reader<object> = (value, path) => checkObject(path, value);

const shape = object({
  kind: literal('training-state'),
  version,
  /** The run's configuration, its network described in full. */
  config: anything,
  /** Fingerprints. */
  data: object({
    train: required(text),
    validation: (value, path) => (value === null ? null : text(value, path)),
  }),
  environment: (value, path) => anything(value, path) as Environment,
  position: readPosition,
} satisfies Record<string, Reader<unknown>>);

/** What a checkpoint says beside its tensors. */
export type TrainingState = Read<typeof shape>;

/** Writes everything a run needs to go on. The file that was there stays until the new one is whole. */
export async function writeCheckpoint(
  path: string,
  tensors: readonly TensorSource[],
  state: TrainingState,
): Promise<void> {
  await writeWeights(path, { tensors, metadata: { [TRAINING_KEY]: JSON.stringify(state) } });
}

/**
 * What a checkpoint says; its tensors are the network's to restore.
 *
 * @throws {CellrouteError} what openWeights throws; WEIGHTS_MISMATCH for a file that is no checkpoint of a run,
 *   WEIGHTS_DAMAGED for one that is at odds with itself.
 */
export async function readCheckpoint(path: string): Promise<TrainingState> {
  const { metadata } = await openWeights(path);
  const text = metadata[TRAINING_KEY];
  if (text === undefined) {
    throw new CellrouteError('WEIGHTS_MISMATCH', `${path} is not a checkpoint of a training run`, {
      file: path,
    });
  }
  try {
    return shape(JSON.parse(text), '');
  } catch (error) {
    throw new CellrouteError(
      'WEIGHTS_DAMAGED',
      `${path}: ${(error as Error).message}`,
      { file: path },
      { cause: error },
    );
  }
}
