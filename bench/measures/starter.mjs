// The starter's kind of network, trained, on the upper left 512×512 of a real picture.
import { join } from 'node:path';
import sharp from 'sharp';
import { beside } from '../compare.mjs';
import { inTurns, oursSegment, torchvisionSegment } from '../side.mjs';

export const ids = ['starter'];

export async function run({ folder, source, rounds, repeats, log }) {
  const weights = join(import.meta.dirname, '../../test/ensemble/fluorescence.safetensors');
  const picture = join(folder, 'starter.png');
  await sharp(source).removeAlpha().extract({ left: 0, top: 0, width: 512, height: 512 }).toFile(picture);
  log('starter: both in turns');
  const minScore = 0.5;
  const task = { picture, weights, precision: 'float32', options: { minScore, maskThreshold: 0.5 } };
  const args = ['--stored', weights, '--min-score', String(minScore)];
  const sides = await inTurns(
    {
      torchvision: () => torchvisionSegment(picture, args),
      cellroute: () => oursSegment(task),
    },
    rounds,
    // Short, so that more of them cost little.
    () => ({ warmup: 1, repeats: 4 * repeats }),
  );
  return { results: { starter: () => beside(sides.cellroute, sides.torchvision) }, sides };
}
