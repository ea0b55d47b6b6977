import sharp from 'sharp';
import { refuse } from '../check.js';
import { decodeImage } from '../image/decode.js';
import type { ImageInput, ImageReadOptions, ImageSource } from '../image/types.js';
import { Canvas } from './canvas.js';
import { forDisplay } from './display.js';

/** Images smaller than this, in pixels on the longer side, are enlarged by a whole number. */
const smallSide = 1000;

interface Size {
  width: number;
  height: number;
}

/** An image as it is drawn on: the masks' grid is the image's, or coarser where a large image is shown smaller. */
export interface Scene {
  canvas: Canvas;
  /** Columns and rows of the grid that masks are drawn in. */
  grid: Size;
  /** Pixels of the canvas along a side of the grid's squares. */
  zoom: number;
}

/**
 * Decodes an image, makes its values visible and brings it to a size to look at: small ones enlarged, ones whose
 * longer side is above `maxSide` shrunk before anything is drawn, so that memory goes with what is shown.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT where the image is not of the size its masks are.
 */
export async function prepareScene(
  image: ImageInput,
  size: Size & { source?: ImageSource },
  maxSide: number,
  signal: AbortSignal | undefined,
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
  const scene = await sceneOf(forDisplay(raw), raw, smallSide, maxSide);
  signal?.throwIfAborted();
  return scene;
}

/** Reads of a file what a result was made from: the page, or the plane, and the channels. */
function sameAs({ page, z, t, channels, sizes, channelPages }: ImageSource): ImageReadOptions {
  const isChosen = channelPages || sizes.channels !== channels.length;
  const asked = isChosen && (channels.length === 1 || channels.length === 3) ? { channels } : {};
  if (!channelPages) return { page, ...asked };
  return { ...(z !== undefined && { z }), ...(t !== undefined && { t }), ...asked };
}

/** The same for shades as {@link forDisplay} gives them; images below `smallSide` are enlarged. */
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
    return new Canvas(to.width, to.height, channels === 3 ? Uint8Array.from(shades) : greyToRgb(shades));
  }
  const { data, info } = await sharp(shades, {
    raw: { ...sizeOf(from), channels },
    limitInputPixels: false,
  })
    .resize(to.width, to.height, { kernel: to.width > from.width ? 'cubic' : 'lanczos3', fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return new Canvas(to.width, to.height, info.channels === 3 ? data : greyToRgb(data));
}

const sizeOf = ({ width, height }: Size): Size => ({ width, height });

function greyToRgb(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(3 * grey.length);
  for (let i = 0; i < grey.length; i++) rgb.fill(grey[i]!, 3 * i, 3 * i + 3);
  return rgb;
}
