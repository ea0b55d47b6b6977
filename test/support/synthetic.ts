import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { PartialClassifierConfig } from '../../lib/config/classifier.js';
import type { PartialMaskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import { random } from '../../lib/data/random.js';
import type { PartialSegmenterTraining } from '../../lib/trainer/config.js';

const SIDE = 64;

/**
 * Creates a data set: a folder of images of 64 × 64 pixels with bright discs (type `round`) or squares (type
 * `square`) on noise, their labels, and an index.
 */
export async function syntheticData(folder: string, images: number, seed = 1): Promise<string> {
  for (const name of ['images', 'labels']) mkdirSync(join(folder, name), { recursive: true });
  const rows = ['id,type'];
  for (let index = 0; index < images; index++) {
    const chance = random(seed, 'image', index);
    const type = index % 2 === 0 ? 'round' : 'square';
    const image = new Uint8Array(SIDE * SIDE);
    for (let at = 0; at < image.length; at++) image[at] = chance.integer(10, 40);
    const labels = new Uint8Array(SIDE * SIDE);
    for (let cell = 1; cell <= 4; cell++) {
      const [x, y, r] = [chance.integer(10, 53), chance.integer(10, 53), chance.integer(4, 9)];
      for (let at = 0; at < labels.length; at++) {
        const [dx, dy] = [(at % SIDE) - x, Math.floor(at / SIDE) - y];
        const inside =
          type === 'round' ? dx * dx + dy * dy <= r * r : Math.max(Math.abs(dx), Math.abs(dy)) <= r;
        if (!inside) continue;
        labels[at] = cell;
        image[at] = 190 + cell * 10;
      }
    }
    const id = `${type}-${String(index).padStart(2, '0')}`;
    rows.push(`${id},${type}`);
    const raw = { raw: { width: SIDE, height: SIDE, channels: 1 as const } };
    await sharp(image, raw)
      .toColourspace('b-w')
      .png()
      .toFile(join(folder, 'images', `${id}.png`));
    await sharp(labels, raw)
      .toColourspace('b-w')
      .png()
      .toFile(join(folder, 'labels', `${id}.png`));
  }
  writeFileSync(join(folder, 'index.csv'), `${rows.join('\n')}\n`);
  return folder;
}

/** A Mask R-CNN that trains in milliseconds. */
export const tinySegmenter: PartialMaskRCNNConfig = {
  backbone: { depth: 18, width: 8 },
  fpn: { channels: 16 },
  resize: null,
  rpn: { anchorSizes: [[8], [16], [24], [32], [48]], preNmsTopN: 100, postNmsTopN: 100 },
  box: { hidden: 32, detectionsPerImage: 20 },
  mask: { channels: [16], hidden: 16 },
};

/** Fewer samples per image than the default, as an image of {@link syntheticData} has four cells. */
export const tinySampling: NonNullable<PartialSegmenterTraining['sampling']> = {
  rpnBatchSize: 64,
  rpnPreNmsTopN: 100,
  rpnPostNmsTopN: 50,
  boxBatchSize: 32,
};

export const tinyClassifier: PartialClassifierConfig = {
  backbone: { depth: 18, width: 8 },
  resize: { width: 64, height: 64, method: 'crop' },
};
