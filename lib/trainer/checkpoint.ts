import { checkObject } from '../check.js';
import { literal, object, type Read, type Reader, required, text } from '../config/schema.js';
import { version } from '../config/shared.js';
import { CellrouteError } from '../errors.js';
import { openWeights } from '../weights/open.js';
import type { TensorSource } from '../weights/source.js';
import { writeWeights } from '../weights/write.js';
import type { Environment } from './environment.js';
import { readPosition } from './progress.js';

/** Metadata key of a checkpoint that holds the state of its run as JSON. */
const TRAINING_KEY = 'cellroute.training';

const anything: Reader<object> = (value, path) => checkObject(path, value);

/** Fingerprints of a run's data sets. */
export const dataFingerprints = object({
  train: required(text),
  validation: (value, path) => (value === null ? null : text(value, path)),
} satisfies Record<string, Reader<string | null>>);

const shape = object({
  kind: literal('training-state'),
  version,
  /** Configuration of the run, with the complete network configuration. */
  config: anything,
  /** Fingerprints. */
  data: dataFingerprints,
  environment: (value, path) => anything(value, path) as Environment,
  position: readPosition,
} satisfies Record<string, Reader<unknown>>);

/** State of a run stored in a checkpoint beside its tensors. */
export type TrainingState = Read<typeof shape>;

/** Writes everything needed to resume a run. The previous file is kept until the new one is complete. */
export async function writeCheckpoint(
  path: string,
  tensors: readonly TensorSource[],
  state: TrainingState,
): Promise<void> {
  await writeWeights(path, { tensors, metadata: { [TRAINING_KEY]: JSON.stringify(state) } });
}

/**
 * Reads the state stored in a checkpoint. The network restores the tensors itself.
 *
 * @throws {CellrouteError} the errors of openWeights; WEIGHTS_MISMATCH if the file is not a checkpoint of a run,
 *   WEIGHTS_DAMAGED if its state is inconsistent.
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
