// Measures how our peak memory depends on the number of cells, with everything else equal.
import { memoryBeside } from '../compare.mjs';
import { inTurns } from '../side.mjs';
import { oursR50 } from './r50.mjs';

export const ids = ['memory-cells'];

export async function run(context) {
  context.log('memory by cells');
  // Thresholds so high that this many boxes remain, with the same work before.
  const options = { minScore: 0, nmsThreshold: 0.99, rpn: { postNmsTopN: 4000, nmsThreshold: 0.95 } };
  const cells = (count) => () =>
    oursR50(context, { options, box: { detectionsPerImage: count, scoreThreshold: 0 } });
  const sides = await inTurns({ few: cells(200), many: cells(2000) }, 1, () => ({ warmup: 0, repeats: 2 }));
  const found = ({ answers: [answer] }) => answer?.detections;
  const note = `${found(sides.many)} cells and ${found(sides.few)}`;
  return { results: { 'memory-cells': () => ({ ...memoryBeside(sides.many, sides.few), note }) }, sides };
}
