import { checkKeys, checkObject, checkOptions, checkString } from '../check.js';
import { imageName } from '../image/input.js';
import { READ_KEYS } from '../image/select.js';
import type { ImageInput } from '../image/types.js';
import {
  checkProcessOptions,
  type Outcome,
  PROCESS_OPTION_KEYS,
  type ProcessOptions,
  processAll,
} from '../pool.js';
import { SCALE_KEYS } from './scale.js';
import { checkSegmentOptions, type SegmentOptions } from './segment-options.js';
import { THRESHOLD_KEYS } from './thresholds.js';

/** An image of `segmentAll` with an id. */
export interface NamedImage {
  id: string;
  /** The image, or a function that loads it when there is room for it. */
  image: ImageInput | ((options: { signal: AbortSignal }) => ImageInput | Promise<ImageInput>);
}

/** Input of `segmentAll`: images, or images with ids. */
export type ImageSequence = Iterable<ImageInput | NamedImage> | AsyncIterable<ImageInput | NamedImage>;

/** Options of {@link CellSegmenter.segmentAll}. */
export interface SegmentAllOptions extends Omit<SegmentOptions, 'onProgress' | 'name'>, ProcessOptions {
  /** Maximum number of images in progress, 1 to 1024. Default 4 on the CPU, 16 on a GPU, so that batches are full. */
  concurrency?: number | undefined;
}

/** Outcome of one image: a result or an error. */
export type SegmentAllResult<Result> = {
  /** The given id, otherwise the image's file name, otherwise its index from 0. */
  id: string;
} & ({ result: Result; error?: never } | { error: unknown; result?: never });

/** Default concurrency. A GPU computes eight small images at once, while the next eight are prepared. */
export const defaultConcurrency = (device: string): number => (device === 'cpu' ? 4 : 16);

/**
 * Segments images while they arrive; implements {@link CellSegmenter.segmentAll} and {@link RoutedEnsemble.segmentAll}.
 *
 * @param more additional option keys of `segment`.
 * @throws {CellrouteError} INVALID_ARGUMENT for options; the iteration throws the errors of the source, and
 *   `signal.reason` after an abort.
 */
export function segmentEach<Result>(
  images: ImageSequence,
  options: SegmentAllOptions,
  more: readonly string[],
  device: string,
  segment: (image: ImageInput, options: SegmentOptions) => Promise<Result>,
): AsyncGenerator<SegmentAllResult<Result>, void, undefined> {
  checkOptions(options, [
    ...more,
    ...THRESHOLD_KEYS,
    ...SCALE_KEYS,
    ...READ_KEYS,
    'tiles',
    ...PROCESS_OPTION_KEYS,
  ]);
  checkProcessOptions(images, options);
  const { concurrency = defaultConcurrency(device), ordered = true, signal, ...rest } = options;
  checkSegmentOptions(rest, more);
  const work = async (input: ImageInput | NamedImage, own: AbortSignal, index: number) => {
    const { image, id } = isNamed(input) ? checkNamed(input, index) : { image: input, id: imageName(input) };
    const content = typeof image === 'function' ? await image({ signal: own }) : image;
    return segment(content, { ...rest, ...(id !== undefined && { name: id }), signal: own });
  };
  return named(processAll(images, work, { concurrency, ordered, signal }));
}

async function* named<Result>(
  outcomes: AsyncIterable<Outcome<ImageInput | NamedImage, Result>>,
): AsyncGenerator<SegmentAllResult<Result>, void, undefined> {
  for await (const outcome of outcomes) {
    const { input, index } = outcome;
    const id = isNamed(input) ? String(input.id) : (imageName(input) ?? String(index));
    yield 'error' in outcome ? { id, error: outcome.error } : { id, result: outcome.result };
  }
}

const isNamed = (input: ImageInput | NamedImage): input is NamedImage =>
  typeof input === 'object' && input !== null && 'image' in input;

function checkNamed(input: NamedImage, index: number): NamedImage {
  const option = `images[${index}]`;
  checkKeys(option, checkObject(option, input), ['id', 'image']);
  checkString(`${option}.id`, input.id);
  return input;
}
