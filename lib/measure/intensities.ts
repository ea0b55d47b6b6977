import { types } from 'node:util';
import { refuse } from '../check.js';
import { readImageInfo } from '../image/decode.js';
import { imageInMemory, readImage } from '../image/input.js';
import { checkReadOptions } from '../image/select.js';
import type { Slide, SlideLevel } from '../image/slide.js';
import { readWindow } from '../image/slide-window.js';
import type { ImageContent, ImageInput, ImageReadOptions } from '../image/types.js';
import { withImage } from '../inference/call-image.js';
import type { QueueOptions } from '../inference/queue.js';
import type { Masks } from '../mask/masks.js';
import { MasksByTile } from '../mask/masks-by-tile.js';
import type { NativeIntensities } from '../native/contract.js';
import type { Call } from '../native/job.js';
import { native } from '../native/load.js';

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

/** Pixels of a slide that are read at once, per side. */
const WINDOW = 2048;

/** Statistics of some channels, which the windows of an image add to. */
class Sums {
  readonly #channels: ChannelMeasurements[];
  readonly #count: Float64Array;

  constructor(names: readonly string[], cells: number) {
    this.#count = new Float64Array(cells);
    const filled = (value: number) => new Float64Array(cells).fill(value);
    this.#channels = names.map((name) => ({
      name,
      mean: filled(0),
      min: filled(Number.POSITIVE_INFINITY),
      max: filled(Number.NEGATIVE_INFINITY),
      sum: filled(0),
      // Sums of squared differences from the mean, until all windows were added.
      deviation: filled(0),
    }));
  }

  /** @param cells which cells the window's masks are. */
  add(cells: ArrayLike<number>, window: NativeIntensities): void {
    for (let i = 0; i < cells.length; i++) {
      const added = window.count[i]!;
      if (added === 0) continue;
      const cell = cells[i]!;
      const before = this.#count[cell]!;
      const total = before + added;
      this.#count[cell] = total;
      for (const [c, { mean, min, max, sum, deviation }] of this.#channels.entries()) {
        const at = i * window.channels + c;
        // The squares around the mean of both parts (Chan, Golub and LeVeque 1983).
        const shift = window.mean[at]! - mean[cell]!;
        deviation[cell]! += window.squares[at]! + (shift * shift * before * added) / total;
        sum[cell]! += window.sum[at]!;
        mean[cell] = sum[cell]! / total;
        min[cell] = Math.min(min[cell]!, window.min[at]!);
        max[cell] = Math.max(max[cell]!, window.max[at]!);
      }
    }
  }

  finish(): ChannelMeasurements[] {
    for (const { mean, min, max, deviation } of this.#channels) {
      for (const [cell, count] of this.#count.entries()) {
        if (count > 0) deviation[cell] = Math.sqrt(deviation[cell]! / count);
        else for (const values of [mean, min, max, deviation]) values[cell] = Number.NaN;
      }
    }
    return this.#channels;
  }
}

/** Intensities of an image that is decoded as a whole: of all its channels, or of the selected ones. */
export async function imageIntensities(
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
  const all = Array.from({ length: masks.length }, (_, i) => i);
  const measured: ChannelMeasurements[] = [];
  for (let i = 0; i < wanted.length; ) {
    // One or three channels are decoded at once.
    const together = wanted.slice(i, wanted.length - i >= 3 ? i + 3 : i + 1);
    const sums = new Sums(
      together.map((channel) => nameOf(channel, names)),
      masks.length,
    );
    const options = { ...(isBytes(content) ? read : {}), channels: together, whenBusy };
    await withImage(own, content, options, async (decoded) => {
      if (decoded.width !== masks.width || decoded.height !== masks.height) {
        const size = `${decoded.width} x ${decoded.height} pixels`;
        throw refuse('image', `an image of ${masks.width} x ${masks.height} pixels, as the result`, size);
      }
      const origin = { x: 0, y: 0 };
      sums.add(
        all,
        await own.run((job) => native().measureIntensities(masks.batch, decoded.handle, origin, job)),
      );
    });
    measured.push(...sums.finish());
    i += together.length;
  }
  return measured;
}

/** Intensities of a slide, window by window, of the channels that it reads. Windows without cells are not read. */
export async function slideIntensities(
  own: Call,
  slide: Slide,
  masks: Masks,
): Promise<ChannelMeasurements[]> {
  const level = slide.levels.indexOf(levelOf(slide, masks));
  const byTile = new MasksByTile(masks, { width: WINDOW, height: WINDOW });
  let sums: Sums | undefined;
  for (let row = 0; row < byTile.rows; row++) {
    for (let column = 0; column < byTile.columns; column++) {
      const cells = byTile.in(column, row);
      // Without any cell, one window says how many channels there are.
      if (cells.length === 0 && !(masks.length === 0 && row + column === 0)) continue;
      const [x, y] = [column * WINDOW, row * WINDOW];
      const width = Math.min(WINDOW, masks.width - x);
      const height = Math.min(WINDOW, masks.height - y);
      const pixels = await own.untilStopped(readWindow(slide, { level, x, y, width, height }, own.signal));
      sums ??= new Sums(slideChannels(slide, pixels.channels), masks.length);
      const { batch } = masks.select(cells);
      const { data, channels } = pixels;
      sums.add(
        cells,
        await own.run(
          (job) => native().measureIntensities(batch, { data, width, height, channels }, { x, y }, job),
          { progress: false },
        ),
      );
    }
  }
  return sums?.finish() ?? [];
}

/** The level of a slide that masks are of. */
export function levelOf({ levels }: Slide, masks: Masks): SlideLevel {
  const level = levels.find(({ width, height }) => width === masks.width && height === masks.height);
  if (level) return level;
  const sizes = levels.map(({ width, height }) => `${width} x ${height}`).join(', ');
  throw refuse(
    'image',
    `a slide with a level of ${masks.width} x ${masks.height} pixels, as the result`,
    `levels of ${sizes}`,
  );
}

/** Names of the channels of a slide's windows; alpha is not measured. */
function slideChannels({ source, channels }: Slide, samples: number): string[] {
  const count = samples >= 3 ? 3 : 1;
  return Array.from({ length: count }, (_, i) => nameOf(source?.channels[i] ?? i, channels));
}

// Not instanceof: a Buffer may come from another realm (Jest, a vm context).
const isBytes = (content: ImageContent): content is Uint8Array => types.isUint8Array(content);

async function channelsIn(
  content: ImageContent,
  read: ImageReadOptions,
): Promise<{ count: number; names: readonly string[] }> {
  if (!isBytes(content)) {
    const { channels, source } = content;
    // Alpha is not measured. The pixels of a file may be some of its channels.
    const count = channels >= 3 ? 3 : 1;
    return { count, names: source?.channels.map((channel) => source.channelNames?.[channel] ?? '') ?? [] };
  }
  const { source } = await readImageInfo(content, { ...read, channels: 0 });
  return { count: source.sizes.channels, names: source.channelNames ?? [] };
}

function nameOf(channel: number | string, names: readonly string[]): string {
  if (typeof channel === 'string') return channel;
  return names[channel] || `channel ${channel + 1}`;
}
