import sharp from 'sharp';
import { checkOneOf } from '../check.js';
import type { Canvas } from './canvas.js';

/** Format of a drawing. */
export type RenderFormat = 'png' | 'webp' | 'jpeg';

export function checkFormat(format: unknown): RenderFormat {
  return checkOneOf('format', format ?? 'png', ['png', 'webp', 'jpeg']);
}

export function encode({ data, width, height }: Canvas, format: RenderFormat): Promise<Buffer> {
  const image = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (format === 'png') return image.png().toBuffer();
  if (format === 'webp') return image.webp({ quality: 90, smartSubsample: true }).toBuffer();
  return image.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer();
}
