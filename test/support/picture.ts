import sharp from 'sharp';
import { dataPath } from './golden.js';
import type { Tensor } from './native.js';

/**
 * A golden's picture as Pillow's RGB / 255: [3, height, width], alpha dropped, grey repeated. Decoded apart from the
 * library.
 */
export async function readPicture(name: string): Promise<Tensor & { data: Float32Array }> {
  const { data, info } = await sharp(dataPath(name)).removeAlpha().toColourspace('srgb').raw().toBuffer({
    resolveWithObject: true,
  });
  const { width, height, channels } = info;
  const pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const source = channels === 1 ? 0 : channel;
    for (let i = 0; i < pixels; i++) values[channel * pixels + i] = data[i * channels + source]! / 255;
  }
  return { data: values, shape: [3, height, width] };
}

/** (x - min) / (max - min + 1e-6) over the whole picture, in float32. */
export function stretch(picture: Tensor & { data: Float32Array }): Tensor & { data: Float32Array } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of picture.data) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  const range = Math.fround(Math.fround(max - min) + 1e-6);
  return { ...picture, data: picture.data.map((value) => Math.fround(value - min) / range) };
}
