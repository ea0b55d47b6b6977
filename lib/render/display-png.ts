import sharp from 'sharp';
import type { RawImage } from '../image/types.js';
import { forDisplay } from './display.js';

/**
 * Encodes an image for a browser: 8 bits, contrast as {@link forDisplay} stretches it, grey or colour.
 *
 * @param maxSide longer side in pixels above which the image is reduced.
 */
export async function displayPng(image: RawImage, maxSide: number): Promise<Buffer> {
  const { width, height } = image;
  const shades = await forDisplay(image);
  const channels = shades.length === width * height ? 1 : 3;
  const encoder = sharp(shades, { raw: { width, height, channels }, limitInputPixels: false });
  if (Math.max(width, height) > maxSide) encoder.resize(maxSide, maxSide, { fit: 'inside' });
  // A local page: speed is worth more than size.
  return encoder
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png({ compressionLevel: 1 })
    .toBuffer();
}
