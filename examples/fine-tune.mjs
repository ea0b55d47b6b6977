// Fine-tunes a segmenter on your images and compares it with the original on validation images.
//
//   node fine-tune.mjs DATA SEGMENTER RUN [STEPS]
//
// DATA is any data set that openDataset reads, for example a folder with images/ and labels/.
import { CellSegmenter } from 'cellroute';
import { compareEvaluations, evaluate } from 'cellroute/metrics';
import { openDataset, SegmenterTrainer, transforms } from 'cellroute/train';

const [folder, start, run, steps = '500'] = process.argv.slice(2);
if (!folder || !start || !run) throw new Error('usage: node fine-tune.mjs DATA SEGMENTER RUN [STEPS]');

const { train, validation } = (await openDataset(folder)).split({ fraction: 0.25, seed: 1 });
const trainer = new SegmenterTrainer({
  data: train,
  validation,
  folder: run,
  config: {
    steps: Number(steps),
    start: { kind: 'checkpoint', path: start },
    optimizer: { kind: 'adamw' },
    // Lower than for training from random weights.
    schedule: { kind: 'one-cycle', maxLr: 0.0003 },
    clipNorm: 5,
    // Crops keep the scale of the images, so cells are as large as in inference.
    resizeSamples: false,
    transforms: [transforms.randomCrop({ width: 128, height: 128 }), transforms.quarterTurns()],
  },
});
for await (const event of trainer.run()) {
  if (event.kind === 'start' && event.report) {
    const { loaded, initialized } = event.report;
    console.log(`${loaded.length} tensors loaded, ${initialized.length} initialized`);
  }
  if (event.kind === 'step' && event.step % 50 === 0)
    console.log(`step ${event.step}: loss ${event.total.toFixed(3)}`);
  if (event.kind === 'validation') console.log(`validation ${event.metric}: ${event.score.toFixed(3)}`);
}

/**
 * Evaluates a segmenter on the validation images.
 * @param {string} path
 */
async function evaluationOf(path) {
  const segmenter = await CellSegmenter.load(path);
  try {
    const images = [];
    for (const item of validation.items) {
      const { image, masks } = await item.load();
      const { cells } = await segmenter.segment(image);
      images.push({ id: item.id, truth: masks, predicted: cells.masks, scores: cells.scores });
    }
    return await evaluate(images);
  } finally {
    await segmenter.dispose();
  }
}

const before = await evaluationOf(start);
const after = await evaluationOf(`${run}/segmenter.safetensors`);
console.log(`before ${before.kaggle.mean.toFixed(3)}, after ${after.kaggle.mean.toFixed(3)}`);
const { difference, interval } = compareEvaluations(before, after);
console.log(
  `difference ${difference.toFixed(3)}, 95 % interval ${interval[0].toFixed(3)} to ${interval[1].toFixed(3)}`,
);
