// Prints the cells that the starter ensemble finds in a square crop of an image, as JSON:
//   node scripts/arm64/cells.mjs <image> <left> <top> <size>
import sharp from 'sharp';
import { RoutedEnsemble } from '../../dist/index.mjs';

const [image, ...numbers] = process.argv.slice(2);
const [left, top, size] = numbers.map(Number);
const crop = await sharp(image).extract({ left, top, width: size, height: size }).png().toBuffer();
const ensemble = await RoutedEnsemble.load();
try {
  const { cellType, cells } = await ensemble.segment(crop, { minScore: 0.5 });
  const { boxes, scores, masks } = cells;
  console.log(
    JSON.stringify({
      cellType,
      boxes: scores.length === 0 ? [] : Array.from(scores, (_, i) => [...boxes.subarray(4 * i, 4 * i + 4)]),
      scores: [...scores],
      masks: masks.toCounts().map((counts) => [...counts]),
    }),
  );
} finally {
  await ensemble.dispose();
}
