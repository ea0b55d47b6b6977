import sharp from 'sharp';
import { checkOneOf } from '../check.js';
import type { Canvas } from './canvas.js';

export type RenderFormat = 'png' | 'webp' | 'jpeg';

export function checkFormat(format: unknown): RenderFormat {
  return checkOneOf('format', format ?? 'png', ['png', 'webp', 'jpeg']);
}

export function encode({ data, width, height }: Canvas, format: RenderFormat): Promise<Buffer> {
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (format === 'png') return picture.png().toBuffer();
  if (format === 'webp') return picture.webp({ quality: 90, smartSubsample: true }).toBuffer();
  return picture.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer();
}
