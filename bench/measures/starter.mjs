// Measures the trained network of test/ensemble on the upper left 512×512 pixels of a real image.
import { join } from 'node:path';
import sharp from 'sharp';
import { beside } from '../compare.mjs';
import { inTurns, oursSegment, torchvisionSegment } from '../side.mjs';

export const ids = ['starter', 'starter-int8'];

export async function run({ wanted, folder, source, lacks, rounds, repeats, log }) {
  const weights = join(import.meta.dirname, '../../test/ensemble/fluorescence.safetensors');
  const image = join(folder, 'starter.png');
  await sharp(source).removeAlpha().extract({ left: 0, top: 0, width: 512, height: 512 }).toFile(image);
  log('starter: interleaved');
  const minScore = 0.5;
  const ours = (precision) => () =>
    oursSegment({ image, weights, precision, options: { minScore, maskThreshold: 0.5 } });
  const args = ['--stored', weights, '--min-score', String(minScore)];
  const sides = await inTurns(
    {
      ...(wanted('starter') && { torchvision: () => torchvisionSegment(image, args) }),
      cellroute: ours('float32'),
      ...(wanted('starter-int8') && !lacks.int8 && { bytes: ours('int8') }),
    },
    rounds,
    // Short, so more repeats cost little.
    () => ({ warmup: 1, repeats: 4 * repeats }),
  );
  const results = {
    starter: () => beside(sides.cellroute, sides.torchvision),
    'starter-int8': () => (lacks.int8 ? { skipped: lacks.int8 } : beside(sides.bytes, sides.cellroute)),
  };
  return { results, sides };
}
