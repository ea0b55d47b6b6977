import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valuesUntilAborted } from '../abort.js';
import { checkIterable } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { ImageInput, ImageReadOptions } from '../image/types.js';
import { CellClassifier } from '../inference/classifier.js';
import { MomentSums, type TypeStatistics } from '../inference/router-statistics.js';
import type { CallOptions } from '../native/job.js';

/** Images of one cell type. */
export type TypeImages = Iterable<ImageInput> | AsyncIterable<ImageInput>;

/** A router whose last layer is the identity: its outputs are the embedding of an image. */
export async function embedderOf(router: CellClassifier, options: CallOptions): Promise<CellClassifier> {
  const { size } = await router.lastLayer();
  const weight = new Float32Array(size * size);
  for (let i = 0; i < size; i++) weight[i * size + i] = 1;
  const folder = await mkdtemp(join(tmpdir(), 'cellroute-'));
  try {
    const path = join(folder, 'embedder.safetensors');
    const names = Array.from({ length: size }, (_, i) => String(i));
    await router.saveAs(path, names, { weight, bias: null, size });
    return await CellClassifier.load(path, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The statistics of images of one type.
 *
 * @param option names the images in errors.
 * @throws {CellrouteError} INVALID_ARGUMENT without an image, and what `classify` throws.
 */
export async function typeStatistics(
  embedder: CellClassifier,
  images: TypeImages,
  option: string,
  options: CallOptions & ImageReadOptions,
): Promise<TypeStatistics> {
  checkIterable(option, images, 'images');
  const sums = new MomentSums(embedder.config.classNames.length);
  let count = 0;
  for await (const image of valuesUntilAborted(images, options.signal)) {
    sums.add((await embedder.classify(image, options)).logits);
    count++;
  }
  if (count > 0) return sums.statistics();
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    `Expected at least one image for ${option} but received none`,
    {
      option,
      expected: 'at least one image',
      got: 'none',
    },
  );
}
