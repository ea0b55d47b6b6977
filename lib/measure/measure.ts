import { types } from 'node:util';
import { checkNumber, checkOptions, refuse } from '../check.js';
import { checkResult } from '../export/named.js';
import { readImageInfo } from '../image/decode.js';
import { imageInMemory, readImage } from '../image/input.js';
import { checkReadOptions, READ_KEYS, readOptionsIn } from '../image/select.js';
import type { ImageContent, ImageInput, ImageReadOptions } from '../image/types.js';
import { withImage } from '../inference/call-image.js';
import { checkQueueOptions, QUEUE_OPTION_KEYS, type QueueOptions } from '../inference/queue.js';
import type { Segmentation } from '../inference/result.js';
import type { Masks } from '../mask/masks.js';
import type { NativeShapes } from '../native/contract.js';
import { CALL_OPTION_KEYS, type Call, type CallOptions, withCall } from '../native/job.js';
import { native } from '../native/load.js';

/**
 * What is measured of shapes: a value per cell in each array, in pixels. The definitions are those of scikit-image's
 * `regionprops`; `x` and `y` are coordinates of pixel centres, which are integers. A cell without pixels has the area
 * 0 and NaN where there is no value.
 */
export type ShapeMeasurements = NativeShapes;

/** Statistics of the values of one channel: a value per cell in each array, in the units of the image. */
export interface ChannelMeasurements {
  /** Name in OME-XML, or `channel 1` for the first. */
  name: string;
  mean: Float64Array;
  min: Float64Array;
  max: Float64Array;
  sum: Float64Array;
  /** Standard deviation; the sum of squares is divided by the number of pixels. */
  deviation: Float64Array;
}

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
  channels?: readonly (number | string)[];
  /** Micrometres per pixel, above 0. Default: what the image's file states, if anything. */
  pixelSize?: number;
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
 *   those of the result.
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if image and result differ in size; the errors of
 *   `decodeImage`.
 */
export async function measure(
  result: Segmentation,
  image?: ImageInput,
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
  return withCall(options, async (own) => {
    const shapes = await own.run((job) => native().measureShapes(cells.masks.batch, job));
    const place = placeOf(result, options);
    const measured =
      image === undefined ? [] : await channelsOf(own, image, cells.masks, asked, place, options);
    const pixelSize = given ?? source?.pixelSize;
    return {
      length: cells.length,
      ...(pixelSize !== undefined && { pixelSize }),
      shapes,
      channels: measured,
    };
  });
}

function checkChannels(channels: unknown): readonly (number | string)[] | undefined {
  if (channels === undefined) return undefined;
  const isOne = (one: unknown) => (typeof one === 'string' && one !== '') || Number.isSafeInteger(one);
  if (Array.isArray(channels) && channels.length > 0 && channels.every(isOne)) return channels;
  throw refuse('channels', "a list of channels' indices from 0 or names", channels);
}

/** The page or the plane and time point: those that were asked for, or those of the result. */
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

async function channelsOf(
  own: Call,
  image: ImageInput,
  masks: Masks,
  asked: readonly (number | string)[] | undefined,
  read: ImageReadOptions,
  { whenBusy }: QueueOptions,
): Promise<ChannelMeasurements[]> {
  const { limits } = checkReadOptions(read);
  const content =
    imageInMemory(image) ??
    (await own.untilStopped(readImage(image, { signal: own.signal, maxBytes: limits.bytes })));
  const { count, names } = await own.untilStopped(channelsIn(content, read));
  const wanted = asked ?? Array.from({ length: count }, (_, i) => i);
  const measured: ChannelMeasurements[] = [];
  // One or three channels are decoded at once.
  for (let i = 0; i < wanted.length; ) {
    const together = wanted.slice(i, i + 3).length === 3 ? wanted.slice(i, i + 3) : wanted.slice(i, i + 1);
    const options = { ...(isBytes(content) ? read : {}), channels: together, ...(whenBusy && { whenBusy }) };
    const found = await withImage(own, content, options, async (decoded) => {
      if (decoded.width !== masks.width || decoded.height !== masks.height) {
        const size = `${decoded.width} x ${decoded.height} pixels`;
        throw refuse('image', `an image of ${masks.width} x ${masks.height} pixels, as the result`, size);
      }
      return own.run((job) => native().measureIntensities(masks.batch, decoded.handle, job));
    });
    for (const [k, channel] of together.entries()) {
      const of = (values: Float64Array) =>
        Float64Array.from({ length: masks.length }, (_, cell) => values[cell * found.channels + k]!);
      measured.push({
        name: nameOf(channel, names),
        mean: of(found.mean),
        min: of(found.min),
        max: of(found.max),
        sum: of(found.sum),
        deviation: of(found.deviation),
      });
    }
    i += together.length;
  }
  return measured;
}

// Not instanceof: a Buffer may come from another realm (Jest, a vm context).
const isBytes = (content: ImageContent): content is Uint8Array => types.isUint8Array(content);

async function channelsIn(
  content: ImageContent,
  read: ImageReadOptions,
): Promise<{ count: number; names?: readonly string[] }> {
  if (!isBytes(content)) {
    const { channels, source } = content;
    // Alpha is not measured. The pixels of a file may be some of its channels.
    const count = channels >= 3 ? 3 : 1;
    const names = source?.channels.map((channel) => source.channelNames?.[channel] ?? '');
    return { count, ...(names && { names }) };
  }
  const { source } = await readImageInfo(content, { ...read, channels: 0 });
  return {
    count: source.sizes.channels,
    ...(source.channelNames && { names: source.channelNames }),
  };
}

function nameOf(channel: number | string, names: readonly string[] = []): string {
  if (typeof channel === 'string') return channel;
  return names[channel] || `channel ${channel + 1}`;
}
