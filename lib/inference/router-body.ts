import { createHash } from 'node:crypto';
import type { ClassifierConfig } from '../config/classifier.js';
import { CellrouteError } from '../errors.js';
import { float32Of } from '../weights/convert-dtype.js';
import type { TensorSource } from '../weights/source.js';

/** The last layer of a classifier: `weight` [classes, size] in row-major order, and one bias per class. */
export interface LastLayer {
  weight: Float32Array;
  /** null for a layer without a bias, as fastai's is. */
  bias: Float32Array | null;
  /** Number of values of the embedding that it maps. */
  size: number;
}

/** Names of the tensors of the last layer. */
const namesOf = ({ head }: Pick<ClassifierConfig, 'head'>): { weight: string; bias: string | null } =>
  head.kind === 'linear' ? { weight: 'fc.weight', bias: 'fc.bias' } : { weight: 'head.8.weight', bias: null };

export async function lastLayerOf(
  config: ClassifierConfig,
  tensors: readonly TensorSource[],
): Promise<LastLayer> {
  const names = namesOf(config);
  const read = async (name: string): Promise<Float32Array> => {
    const tensor = tensors.find((one) => one.name === name)!;
    return float32Of(await tensor.read(), tensor.dtype);
  };
  const weight = await read(names.weight);
  return {
    weight,
    bias: names.bias === null ? null : await read(names.bias),
    size: weight.length / config.classNames.length,
  };
}

/**
 * The tensors of a last layer for a network of this configuration.
 *
 * @throws {CellrouteError} INVALID_CONFIG for a bias that the network's layer does not have.
 */
export function replacedLayer(config: ClassifierConfig, { weight, bias, size }: LastLayer): TensorSource[] {
  const names = namesOf(config);
  const classes = config.classNames.length;
  const tensor = (name: string, shape: number[], values: Float32Array): TensorSource => ({
    name,
    dtype: 'F32',
    shape,
    read: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  const tensors = [tensor(names.weight, [classes, size], weight)];
  if (names.bias !== null) tensors.push(tensor(names.bias, [classes], bias ?? new Float32Array(classes)));
  else if (bias?.some((value) => value !== 0)) {
    throw new CellrouteError(
      'INVALID_CONFIG',
      "Expected a router whose last layer has a bias (head.kind 'linear') but the head is 'concat-pool'",
      { option: 'head.kind', expected: 'linear', got: config.head.kind },
    );
  }
  return tensors;
}

/** SHA-256 of how images become input, and of all tensors but those of the last layer. */
export async function fingerprintOfBody(
  config: ClassifierConfig,
  tensors: readonly TensorSource[],
): Promise<string> {
  const { intensity, imageMean, imageStd, resize } = config;
  const hash = createHash('sha256');
  hash.update(JSON.stringify([intensity, imageMean, imageStd, resize]));
  const { weight, bias } = namesOf(config);
  for (const tensor of tensors) {
    if (tensor.name === weight || tensor.name === bias || tensor.dtype !== 'F32') continue;
    hash.update(`${tensor.name} ${tensor.shape.join()} `).update(await tensor.read());
  }
  return hash.digest('hex');
}
