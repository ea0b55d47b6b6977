import sharp from 'sharp';
import { untilAborted } from '../abort.js';
import { refuse } from '../check.js';
import { decodeImage } from '../image/decode.js';
import type { ImageInput, ImageReadOptions, ImageSource } from '../image/types.js';
import { copyInParts, inParts, PART_VALUES } from '../in-parts.js';
import { Canvas } from './canvas.js';
import { forDisplay } from './display.js';

/** Images whose longer side is shorter than this many pixels are enlarged by an integer factor. */
const SMALL_SIDE = 1000;

interface Size {
  width: number;
  height: number;
}

/** An image prepared for drawing. Its grid is that of the masks, or coarser if the image was reduced. */
export interface Scene {
  canvas: Canvas;
  /** Columns and rows of the grid in which masks are drawn. */
  grid: Size;
  /** Canvas pixels per grid square along one side. */
  zoom: number;
}

/**
 * Decodes an image, stretches its contrast and changes its size: small images are enlarged, images whose longer side is
 * above `maxSide` are reduced before drawing, so memory depends on the size of the drawing.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT if image and masks differ in size.
 */
export async function prepareScene(
  image: ImageInput,
  size: Size & { source?: ImageSource },
  maxSide: number,
  signal: AbortSignal | undefined,
  smallSide = SMALL_SIDE,
): Promise<Scene> {
  const read = ArrayBuffer.isView(image) && size.source ? sameAs(size.source) : {};
  const raw = await decodeImage(image, { ...read, signal });
  if (raw.width !== size.width || raw.height !== size.height) {
    throw refuse(
      'image',
      `the image the result was made from (${size.width} × ${size.height})`,
      `${raw.width} × ${raw.height}`,
    );
  }
  const scene = async () => sceneOf(await forDisplay(raw), raw, smallSide, maxSide);
  return untilAborted(scene(), signal);
}

/** Options that read the same page or plane and channels as the result was computed from. */
function sameAs({ page, z, t, channels, sizes, channelPages }: ImageSource): ImageReadOptions {
  const isChosen = channelPages || sizes.channels !== channels.length;
  const asked = isChosen && (channels.length === 1 || channels.length === 3) ? { channels } : {};
  if (!channelPages) return { page, ...asked };
  return { ...(z !== undefined && { z }), ...(t !== undefined && { t }), ...asked };
}

/** As prepareScene, for 8-bit values from {@link forDisplay}. Images below `smallSide` are enlarged. */
export async function sceneOf(
  shades: Uint8Array,
  size: Size,
  smallSide: number,
  maxSide: number,
): Promise<Scene> {
  const longSide = Math.max(size.width, size.height);
  const zoom = Math.max(1, Math.min(Math.ceil(smallSide / longSide), Math.floor(maxSide / longSide)));
  const shrink = Math.min(1, maxSide / longSide);
  const grid = {
    width: Math.max(1, Math.round(size.width * shrink)),
    height: Math.max(1, Math.round(size.height * shrink)),
  };
  const canvas = await resize(shades, size, { width: grid.width * zoom, height: grid.height * zoom });
  return { canvas, grid, zoom };
}

async function resize(shades: Uint8Array, from: Size, to: Size): Promise<Canvas> {
  const channels = shades.length === from.width * from.height ? 1 : 3;
  if (from.width === to.width && from.height === to.height) {
    if (channels === 1) return new Canvas(to.width, to.height, await greyToRgb(shades));
    const canvas = new Canvas(to.width, to.height);
    await copyInParts(shades, canvas.data);
    return canvas;
  }
  const { data, info } = await sharp(shades, {
    raw: { ...sizeOf(from), channels },
    limitInputPixels: false,
  })
    .resize(to.width, to.height, { kernel: to.width > from.width ? 'cubic' : 'lanczos3', fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Canvas(to.width, to.height, info.channels === 3 ? data : await greyToRgb(data));
}

const sizeOf = ({ width, height }: Size): Size => ({ width, height });

async function greyToRgb(grey: Uint8Array): Promise<Uint8Array> {
  const rgb = new Uint8Array(3 * grey.length);
  await inParts(grey.length, PART_VALUES, (begin, end) => {
    for (let i = begin, at = 3 * begin; i < end; i++, at += 3) {
      rgb[at] = rgb[at + 1] = rgb[at + 2] = grey[i]!;
    }
  });
  return rgb;
}
