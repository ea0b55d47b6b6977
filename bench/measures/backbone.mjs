// Measures the backbone and its feature pyramid alone. Ours are the times of these two stages in the profile of a
// segmented image at its original size; the peers run the same part of torchvision's network.
import { join } from 'node:path';
import sharp from 'sharp';
import { beside } from '../compare.mjs';
import { inTurns, measure, median, peer, python, Side } from '../side.mjs';
import { oursR50 } from './r50.mjs';

const [width, height] = [1088, 800];
const gflop = 240;

export const ids = ['backbone-openvino', 'backbone-onnx', 'backbone-bfloat16'];

/** Replaces the seconds of a whole image by those of its backbone. */
const ofStages = (side) => ({
  ...side,
  answers: side.answers.map(({ stages }) => ({ seconds: stages.map(({ backbone, fpn }) => backbone + fpn) })),
});

export async function run(context) {
  const { wanted, folder, lacks, rounds, repeats, log } = context;
  const image = join(folder, 'backbone.png');
  await sharp(context.image).resize(width, height, { fit: 'fill' }).toFile(image);
  const size = [String(height), String(width)];
  let file;
  if (!lacks.openvino || !lacks.onnx) {
    log('backbone: export');
    file = join(folder, 'backbone.onnx');
    measure(python, [peer('prepare.py'), 'backbone', file, ...size]);
  }
  // Minimal work after the backbone.
  const options = { minScore: 1, rpn: { preNmsTopN: 1, postNmsTopN: 1 } };
  const our = (precision) => () => oursR50({ ...context, image }, { options, precision, resize: null });
  const theirs = (runtime, precision) => () =>
    new Side(python, [peer('backbone.py'), runtime, precision, ...size, file ?? '']);
  const low = wanted('backbone-bfloat16') && !lacks.bfloat16;
  const makers = {
    torchvision: theirs('torchvision', 'float32'),
    ...(!lacks.openvino && wanted('backbone-openvino') && { openvino: theirs('openvino', 'float32') }),
    ...(!lacks.onnx && wanted('backbone-onnx') && { onnx: theirs('onnxruntime', 'float32') }),
    cellroute: our('float32'),
    ...(low && { low: our('bfloat16') }),
    ...(low && !lacks.openvino && { openvinoLow: theirs('openvino', 'bfloat16') }),
  };
  log(`backbone: ${Object.keys(makers).join(', ')} interleaved`);
  const sides = await inTurns(makers, rounds, () => ({ warmup: 1, repeats }));
  const faster = (own, against, reason) => {
    if (reason) return { skipped: reason };
    return { ...beside(ofStages(own), against, gflop), note: torchvisionNote(sides.torchvision) };
  };
  return {
    results: {
      'backbone-openvino': () => faster(sides.cellroute, sides.openvino, lacks.openvino),
      'backbone-onnx': () => faster(sides.cellroute, sides.onnx, lacks.onnx),
      'backbone-bfloat16': () => faster(sides.low, sides.openvinoLow, lacks.bfloat16 ?? lacks.openvino),
    },
    sides,
  };
}

function torchvisionNote(side) {
  if (side.failure) return '';
  return `torchvision ${median(side.answers.flatMap(({ seconds }) => seconds)).toFixed(2)} s`;
}
