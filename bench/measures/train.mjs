// Measures a training step (forward, backward, SGD) of cellroute and torchvision on one batch and the same weights, alternately.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beside } from '../compare.mjs';
import { drawCells } from '../drawn.mjs';
import { inTurns, ours, peer, python, Side } from '../side.mjs';

export const ids = ['train'];

/** Presets: `r50` as in the original notebook, `starter` is the network of test/ensemble with trainable norms. */
export const presets = {
  r50: { batch: 2, width: 704, height: 520, cells: 40, norm: 'frozen-batch', updateStatistics: false },
  starter: { batch: 4, width: 256, height: 256, cells: 30, norm: 'batch', updateStatistics: true },
};

/** Runs `rounds` steps of both sides, after one step that is not counted. */
export async function trainInTurns(task, { batch, folder, rounds }) {
  const images = [];
  for (let i = 0; i < batch; i++) images.push(await drawCells(join(folder, `train-${i}.png`), i + 1, task));
  const file = join(folder, 'train.json');
  writeFileSync(file, JSON.stringify({ ...task, images, weights: join(folder, 'train.safetensors') }));
  const sides = await inTurns(
    {
      // First, because it writes the initial weights of both sides.
      torchvision: () => new Side(python, [peer('torchvision_train_step.py'), file]),
      cellroute: () => new Side(process.execPath, [ours('ours_train_step.mjs'), file]),
    },
    rounds + 1,
    () => 'step',
  );
  for (const side of Object.values(sides)) {
    side.answers = side.answers.slice(1).map((answer) => ({ ...answer, seconds: [answer.seconds] }));
  }
  return sides;
}

export async function run({ folder, rounds, log }) {
  log('training step: interleaved');
  const { batch, ...preset } = presets.r50;
  const task = { network: 'r50', ...preset, minSize: null, trainableLayers: 5, precision: 'float32' };
  const sides = await trainInTurns(task, { batch, folder, rounds });
  return { results: { train: () => beside(sides.cellroute, sides.torchvision) }, sides };
}
