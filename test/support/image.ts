import sharp from 'sharp';
import { dataPath } from './golden.js';
import type { Tensor } from './native.js';

/**
 * A golden's image as Pillow's RGB / 255: [3, height, width], alpha dropped, grey repeated. Decoded independently of the
 * library.
 */
export async function readImage(name: string): Promise<Tensor & { data: Float32Array }> {
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
