import { checkNumber, checkOptions, refuse } from '../check.js';
import { checkResult } from '../export/named.js';
import { checkReadOptions, READ_KEYS, readOptionsIn } from '../image/select.js';
import { isSlide, type Slide } from '../image/slide.js';
import { checkSlide } from '../image/slide-window.js';
import type { ImageInput, ImageReadOptions } from '../image/types.js';
import { checkQueueOptions, QUEUE_OPTION_KEYS, type QueueOptions } from '../inference/queue.js';
import type { Segmentation } from '../inference/result.js';
import type { Masks } from '../mask/masks.js';
import type { NativeShapes } from '../native/contract.js';
import { CALL_OPTION_KEYS, type CallOptions, withCall } from '../native/job.js';
import { native } from '../native/load.js';
import { type ChannelMeasurements, imageIntensities, levelOf, slideIntensities } from './intensities.js';

/**
 * Measurements of shapes: a value per cell in each array, in pixels. The definitions are those of scikit-image's
 * `regionprops`; `x` and `y` are coordinates of pixel centres, which are integers. A cell without pixels has the area
 * 0 and NaN where there is no value.
 */
export type ShapeMeasurements = NativeShapes;

/** Measurements of the cells of one image, in the order of the result. */
export interface Measurements {
  /** Number of cells. */
  length: number;
  /** Micrometres per pixel, where it is known. The arrays are in pixels in any case. */
  pixelSize?: number;
  shapes: ShapeMeasurements;
  /** One entry per channel; none without an image. */
  channels: ChannelMeasurements[];
}

/** Options of {@link measure}. */
export interface MeasureOptions extends Omit<ImageReadOptions, 'channels'>, CallOptions, QueueOptions {
  /** Channels to measure, by index from 0 or name in OME-XML. Default: all of the image, without alpha. */
  channels?: readonly (number | string)[] | undefined;
  /** Micrometres per pixel, above 0. Default: what the image's file states, if anything. */
  pixelSize?: number | undefined;
}

/**
 * Measures the cells of a result: area, perimeter, centroid, box, axes, eccentricity, orientation, solidity,
 * circularity, Feret diameters, contact with the border and number of neighbors, and with an image the intensities of
 * each channel. Values of pixels are used as the file has them. Runs beside the event loop.
 *
 * ```ts
 * const result = await ensemble.segment('three-channels.ome.tif', { channels: 0 });
 * const { shapes, channels } = await measure(result, 'three-channels.ome.tif');
 * console.log(shapes.area[0], channels[2].mean[0]);
 * ```
 *
 * @param image the image that was segmented, or another of the same size. By default the page, plane and time point are
 *   those of the result. A slide is read window by window, and the channels that it reads are measured.
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if image and result differ in size; the errors of
 *   `decodeImage`.
 */
export async function measure(
  result: Segmentation,
  image?: ImageInput | Slide,
  options: MeasureOptions = {},
): Promise<Measurements> {
  const { cells, source } = checkResult('result', result);
  checkOptions(options, ['channels', 'pixelSize', ...READ_KEYS, ...CALL_OPTION_KEYS, ...QUEUE_OPTION_KEYS]);
  checkQueueOptions(options);
  const { channels: _, ...others } = options;
  checkReadOptions(readOptionsIn(others));
  const asked = checkChannels(options.channels);
  const given = options.pixelSize;
  if (given !== undefined && !(checkNumber('pixelSize', given) > 0)) {
    throw refuse('pixelSize', 'a number above 0', given);
  }
  if (isSlide(image)) checkSlide('image', image);
  if (asked && isSlide(image)) throw refuse('channels', 'no list: openSlide chooses the channels', asked);
  return withCall(options, async (own) => {
    const shapes = await own.run((job) => native().measureShapes(cells.masks.batch, job));
    const channels =
      image === undefined
        ? []
        : isSlide(image)
          ? await slideIntensities(own, image, cells.masks)
          : await imageIntensities(own, image, cells.masks, asked, placeOf(result, options), options);
    const pixelSize =
      given ?? source?.pixelSize ?? (isSlide(image) ? pixelSizeOf(image, cells.masks) : undefined);
    return {
      length: cells.length,
      ...(pixelSize !== undefined && { pixelSize }),
      shapes,
      channels,
    };
  });
}

function pixelSizeOf(slide: Slide, masks: Masks): number | undefined {
  return slide.pixelSize === undefined ? undefined : slide.pixelSize * levelOf(slide, masks).downsample;
}

function checkChannels(channels: unknown): readonly (number | string)[] | undefined {
  if (channels === undefined) return undefined;
  const isOne = (one: unknown) => (typeof one === 'string' && one !== '') || Number.isSafeInteger(one);
  if (Array.isArray(channels) && channels.length > 0 && channels.every(isOne)) return channels;
  throw refuse('channels', "a list of channels' indices from 0 or names", channels);
}

/** The page or the plane and time point: those that were selected, or those of the result. */
function placeOf({ source }: Segmentation, options: MeasureOptions): ImageReadOptions {
  const { channels: _, ...read } = options;
  const asked = readOptionsIn(read);
  if (asked.page !== undefined || asked.z !== undefined || asked.t !== undefined || !source) return asked;
  const { z, t, page } = source;
  if (z !== undefined || t !== undefined) {
    return { ...asked, ...(z !== undefined && { z }), ...(t !== undefined && { t }) };
  }
  // Channels that are pages are chosen as channels.
  return source.channelPages ? asked : { ...asked, page };
}
