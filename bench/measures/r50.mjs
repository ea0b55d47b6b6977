// Measures one image with Mask R-CNN ResNet50-FPN: cellroute, torchvision, and ONNX Runtime with torchvision's network.
import { join } from 'node:path';
import { beside, memoryBeside } from '../compare.mjs';
import { inTurns, measure, oursSegment, peer, python, Side, torchvisionSegment } from '../side.mjs';

/** GFLOP of backbone, pyramid, RPN and box head, and GFLOP per mask. */
const [gflopImage, gflopMask] = [354, 1.06];
export const detections = 539;
/** Scores so low and overlaps so large that the network keeps the maximum number of cells. */
export const everyScore = '0.01';
const nms = '0.6';

const besideTorchvision = ['r50', 'r50-bfloat16', 'r50-all', 'r50-all-onnx', 'memory'];
const ofAllMasks = ['r50-all', 'r50-all-onnx', 'memory', 'r50-all-int8', 'load', 'event-loop'];
export const ids = [...new Set([...besideTorchvision, ...ofAllMasks])];

/** A process that segments `image` with cellroute's R50-FPN and formula weights. */
export const oursR50 = ({ image, weights }, { options, precision = 'float32', box, resize }) =>
  oursSegment({
    image,
    weights,
    precision,
    config: {
      backbone: { norm: { kind: 'batch' } },
      box: { detectionsPerImage: detections, scoreThreshold: Number(everyScore), ...box },
      ...(resize === undefined ? {} : { resize }),
    },
    options: { minScore: Number(everyScore), maskThreshold: 0.5, nmsThreshold: Number(nms), ...options },
  });

/** Midpoint between the scores of the 300th and the next cell, so that both sides have 300 cells above it. */
async function scoreOf300(context) {
  const { one } = await inTurns({ one: () => oursR50(context, {}) }, 1, () => ({ warmup: 0, repeats: 1 }));
  if (one.failure) throw new Error(one.failure);
  const scores = one.answers[0].scores.toSorted((a, b) => b - a);
  return scores.length > 300 ? (scores[299] + scores[300]) / 2 : Number(everyScore);
}

function exportNetwork({ folder, image, log }) {
  log('R50-FPN: export for ONNX Runtime');
  const file = join(folder, 'network.onnx');
  measure(python, [peer('prepare.py'), 'network', file, image, everyScore, nms, String(detections)]);
  return file;
}

/** The sides that the selected rows need. */
async function sidesFor(context) {
  const { wanted, image, lacks } = context;
  const makers = {};
  if (besideTorchvision.some(wanted)) {
    const args = ['--detections', String(detections), '--min-score', everyScore, '--nms', nms];
    makers.torchvision = () => torchvisionSegment(image, args);
  }
  // One process each, so that peak memory is measured per side.
  if (ofAllMasks.some(wanted)) makers.all = () => oursR50(context, {});
  if (wanted('r50-all-int8') && !lacks.int8) makers.bytes = () => oursR50(context, { precision: 'int8' });
  const low = wanted('r50-bfloat16') && !lacks.bfloat16;
  if (wanted('r50') || low) {
    const options = { minScore: await scoreOf300(context) };
    if (wanted('r50')) makers.some = () => oursR50(context, { options });
    if (low) makers.low = () => oursR50(context, { options, precision: 'bfloat16' });
  }
  if (wanted('r50-all-onnx') && !lacks.onnx) {
    const file = exportNetwork(context);
    makers.onnx = () => new Side(python, [peer('onnxruntime_segment.py'), file, image]);
  }
  return makers;
}

export async function run(context) {
  const { lacks, rounds, repeats, log } = context;
  const makers = await sidesFor(context);
  log(`R50-FPN: ${Object.keys(makers).join(', ')} interleaved`);
  const sides = await inTurns(makers, rounds, (name, round) => {
    const isPeer = name === 'torchvision' || name === 'onnx';
    // Our memory is released between turns, so each turn starts with an image that is not counted.
    return { warmup: isPeer && round > 0 ? 0 : 1, repeats: isPeer ? 1 : repeats };
  });
  const faster = (own, against, reason) =>
    reason
      ? { skipped: reason }
      : beside(own, against, gflopImage + gflopMask * (own.answers[0]?.detections ?? 0));
  const { torchvision, all, some, low, bytes, onnx } = sides;
  const one = (figure) => (all.failure ? { skipped: all.failure } : figure());
  const results = {
    r50: () => faster(some, torchvision),
    'r50-bfloat16': () => faster(low, torchvision, lacks.bfloat16),
    'r50-all': () => faster(all, torchvision),
    'r50-all-onnx': () => faster(all, onnx, lacks.onnx),
    'r50-all-int8': () => faster(bytes, all, lacks.int8),
    memory: () => memoryBeside(all, torchvision),
    load: () =>
      one(() => ({
        value: all.ready.load_seconds,
        ours: `${all.ready.load_seconds.toFixed(2)} s`,
        note: `LibTorch itself, once per process: ${all.ready.libtorch_seconds.toFixed(2)} s`,
      })),
    'event-loop': () =>
      one(() => {
        const p99 = Math.max(...all.answers.map((answer) => answer.event_loop_delay_ms.p99));
        return { value: p99, ours: `${p99.toFixed(1)} ms` };
      }),
  };
  return { results, sides };
}
