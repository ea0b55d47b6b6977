import { checkNumber, checkObject, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { float32Of } from '../weights/convert-dtype.js';
import { openWeights } from '../weights/open.js';
import { TensorReader } from '../weights/read-tensor.js';
import type { TensorSource } from '../weights/source.js';
import { writeWeights } from '../weights/write.js';

/** Statistics of the images of one cell type: the first two moments of their embeddings by the router. */
export interface TypeStatistics {
  /** Number of images. */
  images: number;
  /** Mean embedding. */
  mean: Float64Array;
  /** Covariance of the embeddings, divided by the number of images: the upper triangle, row by row. */
  covariance: Float64Array;
}

/**
 * Statistics of the images of each cell type of a router, with which a type can be added without the images of the other
 * types. The embedding of an image is the input of the router's last layer.
 */
export interface RouterStatistics {
  /** Fingerprint of the router without its last layer: statistics of one network are not valid for another. */
  router: string;
  types: ReadonlyMap<string, TypeStatistics>;
}

const METADATA_KEY = 'cellroute.statistics';
/** Largest embedding: that of a ResNet101. */
const MAX_SIZE = 2048;

/** Number of values of the upper triangle of a symmetric matrix. */
export const triangle = (size: number): number => (size * (size + 1)) / 2;

/** Writes statistics as safetensors: per type a mean and a covariance in float32. */
export async function writeStatistics(path: string, { router, types }: RouterStatistics): Promise<void> {
  const names = [...types.keys()];
  const tensors = names.flatMap((name, i): TensorSource[] => {
    const { mean, covariance } = types.get(name)!;
    return [tensor(`${i}.mean`, mean), tensor(`${i}.covariance`, covariance)];
  });
  const described = names.map((name) => ({ name, images: types.get(name)!.images }));
  const metadata = { [METADATA_KEY]: JSON.stringify({ version: 1, router, types: described }) };
  await writeWeights(path, { tensors, metadata });
}

const tensor = (name: string, values: Float64Array): TensorSource => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  read: () => new Uint8Array(Float32Array.from(values).buffer),
});

/**
 * Reads statistics.
 *
 * @throws {CellrouteError} FILE_UNREADABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED; ENSEMBLE_INVALID if the file has other contents.
 */
export async function readStatistics(path: string): Promise<RouterStatistics> {
  const { tensors, metadata } = await openWeights(path);
  const reader = await TensorReader.open(path);
  try {
    const root = checkObject(METADATA_KEY, JSON.parse(metadata[METADATA_KEY] ?? 'null'));
    if (root.version !== 1) throw new Error(`version ${String(root.version)} is not supported`);
    const { types } = root;
    if (!Array.isArray(types)) throw new Error('types is not a list');
    const valuesOf = async (name: string): Promise<Float64Array> => {
      const entry = tensors.find((one) => one.name === name);
      if (entry?.dtype !== 'F32' || entry.shape.length !== 1) throw new Error(`${name} is missing`);
      const values = Float64Array.from(float32Of(await reader.read(entry), entry.dtype));
      if (!values.every(Number.isFinite)) throw new Error(`${name} has values that are not finite`);
      return values;
    };
    const found = new Map<string, TypeStatistics>();
    for (const [i, value] of types.entries()) {
      const type = checkObject(`types[${i}]`, value);
      const mean = await valuesOf(`${i}.mean`);
      const covariance = await valuesOf(`${i}.covariance`);
      const [first] = found.values();
      const size = first ? first.mean.length : Math.min(mean.length, MAX_SIZE);
      if (mean.length !== size || covariance.length !== triangle(size)) throw new Error('the sizes differ');
      const images = checkNumber(`types[${i}].images`, type.images, { min: 1, integer: true });
      found.set(checkString(`types[${i}].name`, type.name), { images, mean, covariance });
    }
    return { router: checkString('router', root.router), types: found };
  } catch (error) {
    if (error instanceof CellrouteError && error.code !== 'INVALID_ARGUMENT') throw error;
    throw new CellrouteError(
      'ENSEMBLE_INVALID',
      `${path}: these are no statistics of a router: ${(error as Error).message}`,
      { file: path },
      { cause: error },
    );
  } finally {
    await reader.close();
  }
}

/** The moments of embeddings, computed while they arrive. */
export class MomentSums {
  #images = 0;
  readonly #size: number;
  /** Subtracted before squares are summed, so that these lose no digits: the first embedding. */
  #origin: Float64Array | undefined;
  readonly #sum: Float64Array;
  readonly #products: Float64Array;

  constructor(size: number) {
    this.#size = size;
    this.#sum = new Float64Array(size);
    this.#products = new Float64Array(triangle(size));
  }

  add(embedding: Float32Array): void {
    this.#origin ??= Float64Array.from(embedding);
    const value = Float64Array.from(embedding, (x, i) => x - this.#origin![i]!);
    for (let row = 0, at = 0; row < this.#size; row++) {
      this.#sum[row]! += value[row]!;
      for (let column = row; column < this.#size; column++, at++) {
        this.#products[at]! += value[row]! * value[column]!;
      }
    }
    this.#images++;
  }

  /** @throws {RangeError} without an embedding. */
  statistics(): TypeStatistics {
    const images = this.#images;
    if (!this.#origin) throw new RangeError('there is no embedding');
    const shift = this.#sum.map((sum) => sum / images);
    const covariance = new Float64Array(this.#products.length);
    for (let row = 0, at = 0; row < this.#size; row++) {
      for (let column = row; column < this.#size; column++, at++) {
        covariance[at] = this.#products[at]! / images - shift[row]! * shift[column]!;
      }
    }
    return { images, mean: this.#origin.map((value, i) => value + shift[i]!), covariance };
  }
}
