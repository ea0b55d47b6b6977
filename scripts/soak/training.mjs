// A small training run in its own process, for the programs that disturb it: node training.mjs RUN
import { image, library } from './common.mjs';

const run = process.argv[2];
const { Masks } = library('./index.js');
const { datasetFrom, SegmenterTrainer } = library('./train.js');
const side = 64;
const disk = (seed) => {
  const counts = [];
  let at = 0;
  for (let x = 20; x < 32; x++) {
    const start = x * side + 20 + (seed % 8);
    counts.push(start - at, 12);
    at = start + 12;
  }
  return [...counts, side * side - at];
};
const data = await datasetFrom(
  Array.from({ length: 4 }, (_, i) => ({
    id: `image-${i}`,
    image: image(side, i),
    masks: Masks.fromCounts([disk(i)], { width: side, height: side }),
  })),
);
const config = {
  network: { backbone: { depth: 18, width: 8, norm: { kind: 'batch' } }, resize: null },
  batchSize: 1,
  epochs: null,
  steps: 12,
  // So small a network with fresh weights diverges at the default rate.
  schedule: { kind: 'one-cycle', maxLr: 0.0005 },
  checkpoint: { everyMinutes: 0 },
  logs: { tensorboard: false },
};
const { existsSync } = await import('node:fs');
const trainer = existsSync(`${run}/config.json`)
  ? await SegmenterTrainer.resume(run, { data })
  : new SegmenterTrainer({ data, folder: run, config });
for await (const event of trainer.run()) if (event.kind === 'step') console.log(event.step);
