import { type Checkpoint, entryOf } from './checkpoint.js';
import { float32Of, isFloat } from './convert-dtype.js';
import { notWeights, refused } from './errors.js';
import {
  className,
  findObject,
  isFastaiLearner,
  itemsOf,
  pipeline,
  predictionLoader,
} from './fastai-learner.js';
import { tensorBytes } from './layout.js';
import { readWeights } from './open.js';
import { isTensor, PyGlobal, PyObject, PyTuple, type TensorRef, type Value } from './pickle/values.js';
import { TensorReader } from './read-tensor.js';
import type { WeightsFile } from './table.js';

/** How fastai brings a picture to its network's size. */
export interface FastaiResize {
  height: number;
  width: number;
  method: 'crop' | 'pad' | 'squish';
  /** What fills the border under `pad`: `zeros`, `border` or `reflection`. */
  padMode: string;
  /** Pillow's filter for pictures: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic. */
  resample: number;
}

/** What fastai's `learn.export()` keeps of a classifier, as far as it is stored as data. */
export interface FastaiExport {
  weights: WeightsFile;
  /** Class names by index. */
  vocab: string[];
  resize?: FastaiResize;
  /** What 8-bit values are divided by before they are normalised. */
  divisor?: number;
  /** One value a channel, of pictures in 0 to 1. */
  normalize?: { mean: number[]; std: number[] };
  /** The function that made the body, such as `torchvision.models.resnet.resnet18`. */
  arch?: string;
  /** Names of the other transforms, in fastai's order; most of them act in training only. */
  transforms: string[];
}

/** A mean a channel, and pictures of a few channels. */
const MAX_STATISTICS_BYTES = 1 << 16;

const UNDERSTOOD = new Set(['Resize', 'ToTensor', 'IntToFloatTensor', 'Normalize']);

/**
 * Reads a fastai export as data: its classes, functions and partials are stepped over and listed in
 * `weights.refused`.
 *
 * @throws CellrouteError as openWeights does; WEIGHTS_FORMAT where the file is no fastai export.
 */
export async function openFastaiExport(path: string): Promise<FastaiExport> {
  const { weights, checkpoint } = await readWeights(path);
  if (!checkpoint || !isFastaiLearner(checkpoint.root))
    throw notWeights({ file: path }, 'not a fastai export');
  const learner = checkpoint.root;
  const loader = predictionLoader(learner);
  const stages = [...pipeline(loader, 'after_item'), ...pipeline(loader, 'after_batch')];
  const stage = (name: string) => stages.find((transform) => className(transform) === name);

  const resize = resizeOf(stage('Resize'));
  const divisor = stage('IntToFloatTensor')?.attribute('div');
  const normalize = await normalizeOf(stage('Normalize'), checkpoint, weights);
  const arch = learner.attribute('arch');
  return {
    weights,
    vocab: vocabOf(learner),
    ...(resize && { resize }),
    ...(typeof divisor === 'number' && { divisor }),
    ...(normalize && { normalize }),
    ...(arch instanceof PyGlobal && { arch: arch.name }),
    transforms: stages.map(className).filter((name) => !UNDERSTOOD.has(name)),
  };
}

function vocabOf(learner: PyObject): string[] {
  const map = findObject(learner.attribute('dls') ?? null, 'CategoryMap');
  return itemsOf(map?.attribute('items')).map(String);
}

function resizeOf(transform: PyObject | undefined): FastaiResize | undefined {
  if (!transform) return undefined;
  const size = transform.attribute('size');
  const [height, width = height] = typeof size === 'number' ? [size] : itemsOf(size);
  const method = transform.attribute('method');
  const padMode = transform.attribute('pad_mode');
  if (typeof height !== 'number' || typeof width !== 'number') return undefined;
  if (method !== 'crop' && method !== 'pad' && method !== 'squish') return undefined;
  return {
    height,
    width,
    method,
    padMode: typeof padMode === 'string' ? padMode : 'reflection',
    resample: enumValue(itemsOf(transform.attribute('resamples'))[0]) ?? 2,
  };
}

/** An enum's member is pickled as its class called with its value. */
function enumValue(value: Value | undefined): number | undefined {
  const number = value instanceof PyObject && value.args instanceof PyTuple ? value.args.items[0] : value;
  return typeof number === 'number' ? number : undefined;
}

async function normalizeOf(
  transform: PyObject | undefined,
  checkpoint: Checkpoint,
  weights: WeightsFile,
): Promise<FastaiExport['normalize']> {
  const mean = transform?.attribute('mean');
  const std = transform?.attribute('std');
  if (!isTensor(mean) || !isTensor(std)) return undefined;
  const reader = await TensorReader.open(weights.path);
  const read = async (name: string, tensor: TensorRef) => {
    const entry = entryOf(name, tensor, checkpoint.storage(tensor.storage), weights);
    if (!isFloat(entry.dtype) || tensorBytes(entry) > MAX_STATISTICS_BYTES) {
      throw refused(
        { file: weights.path, position: tensor.position },
        `a normalisation of type ${entry.dtype} [${entry.shape}]`,
      );
    }
    return Array.from(float32Of(await reader.read(entry), entry.dtype));
  };
  try {
    return { mean: await read('mean', mean), std: await read('std', std) };
  } finally {
    await reader.close();
  }
}
