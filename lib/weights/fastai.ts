import type { BoundedFile } from './bounded-file.js';
import { type Checkpoint, entryOf } from './checkpoint.js';
import { float32Of, isFloat } from './convert-dtype.js';
import { refused } from './errors.js';
import { className, findObject, itemsOf, pipeline, predictionLoader } from './fastai-learner.js';
import { tensorBytes } from './layout.js';
import { isTensor, PyGlobal, PyObject, PyTuple, type TensorRef, type Value } from './pickle/values.js';
import { TensorReader } from './read-tensor.js';
import type { FastaiExport, FastaiResize } from './table.js';

/** Maximum size of the statistics: one mean per channel, and images have few channels. */
const MAX_STATISTICS_BYTES = 1 << 16;

const SUPPORTED_TRANSFORMS = new Set(['Resize', 'ToTensor', 'IntToFloatTensor', 'Normalize']);

/** Reads the data of a fastai learner besides its tensors. Classes, functions and partials are treated as data. */
export async function readFastaiExport(
  learner: PyObject,
  checkpoint: Checkpoint,
  file: BoundedFile,
): Promise<FastaiExport> {
  const loader = predictionLoader(learner);
  const stages = [...pipeline(loader, 'after_item'), ...pipeline(loader, 'after_batch')];
  const stage = (name: string) => stages.find((transform) => className(transform) === name);

  const resize = resizeOf(stage('Resize'));
  const divisor = stage('IntToFloatTensor')?.attribute('div');
  const normalize = await normalizeOf(stage('Normalize'), checkpoint, file);
  const arch = learner.attribute('arch');
  return {
    vocab: vocabOf(learner),
    ...(resize && { resize }),
    ...(typeof divisor === 'number' && { divisor }),
    ...(normalize && { normalize }),
    ...(arch instanceof PyGlobal && { arch: arch.name }),
    transforms: stages.map(className).filter((name) => !SUPPORTED_TRANSFORMS.has(name)),
  };
}

function vocabOf(learner: PyObject): string[] {
  const map = findObject(learner.attribute('dls') ?? null, 'CategoryMap');
  return itemsOf(map?.attribute('items')).map(String);
}

function resizeOf(transform: PyObject | undefined): FastaiResize | undefined {
  if (!transform) return undefined;
  const size = transform.attribute('size');
  // fastai is given (height, width) and stores (width, height), in the order of Pillow.
  const [width, height = width] = typeof size === 'number' ? [size] : itemsOf(size);
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

/** A member of an enum is pickled as a call of its class with its value. */
function enumValue(value: Value | undefined): number | undefined {
  const number = value instanceof PyObject && value.args instanceof PyTuple ? value.args.items[0] : value;
  return typeof number === 'number' ? number : undefined;
}

async function normalizeOf(
  transform: PyObject | undefined,
  checkpoint: Checkpoint,
  file: BoundedFile,
): Promise<FastaiExport['normalize']> {
  const mean = transform?.attribute('mean');
  const std = transform?.attribute('std');
  if (!isTensor(mean) || !isTensor(std)) return undefined;
  const reader = new TensorReader(file);
  const read = async (name: string, tensor: TensorRef) => {
    const entry = entryOf(name, tensor, checkpoint.storage(tensor.storage), file);
    if (!isFloat(entry.dtype) || tensorBytes(entry) > MAX_STATISTICS_BYTES) {
      throw refused(
        { file: file.path, position: tensor.position },
        `the normalisation has the type ${entry.dtype} [${entry.shape}]`,
      );
    }
    return Array.from(float32Of(await reader.read(entry), entry.dtype));
  };
  return { mean: await read('mean', mean), std: await read('std', std) };
}
