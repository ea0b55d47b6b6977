import sharp, { type Sharp } from 'sharp';
import { refuse } from '../check.js';
import type { Segmentation } from '../inference/result.js';
import { checkResult } from './named.js';

const MAX_CELLS = 65_535;

/**
 * Creates a 16-bit grey PNG with the size of the image: 0 is background, k is cell k of the result, counted from 1. If
 * cells overlap, the one with the higher score, which comes first, keeps the pixel.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, also for more than 65,535 cells.
 */
export async function labelPng(result: Segmentation): Promise<Buffer> {
  return png(result).toBuffer();
}

/**
 * {@link labelPng} in pieces, while it is compressed.
 *
 * @throws {CellrouteError} as {@link labelPng}, when the iteration starts.
 */
export async function* streamLabelPng(result: Segmentation): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of png(result)) yield chunk as Buffer;
}

function png(result: Segmentation): Sharp {
  const { cells, width, height } = checkResult('result', result);
  if (cells.length > MAX_CELLS)
    throw refuse(
      'cells',
      `at most ${MAX_CELLS} cells, which 16 bits can number (format label-tiff has 32 bits)`,
      cells.length,
    );
  return sharp(cells.masks.toLabels16(), { raw: { width, height, channels: 1 }, limitInputPixels: false })
    .toColourspace('grey16')
    .png({ compressionLevel: 9 });
}
