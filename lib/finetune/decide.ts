import { cellSizes } from '../data/diameters.js';
import type { DatasetItem } from '../data/types.js';
import { CellrouteError } from '../errors.js';
import { readImageInfo } from '../image/decode.js';
import { type Device, resolveDevice } from '../inference/device.js';
import { choosePrecision } from '../inference/precision.js';
import { spread } from '../trainer/samples.js';
import { measureStep } from '../trainer/segmenter-trainer.js';
import type { Context, Decided } from './context.js';
import { type RecipeInput, recipeFor } from './recipe.js';
import { type Start, startsFor, tryStart } from './try-starts.js';

/** Maximum number of images whose pixel size is read. */
const MAX_SIZED_IMAGES = 20;
/** Steps that are timed for each precision. */
const TIMED_STEPS = 3;

/** Measures the cells, evaluates the starts and measures the duration of a training step. */
export async function decide(context: Context): Promise<{ decided: Decided; secondsPerStep: number }> {
  const { options, parts, call, emit } = context;
  const { train, validation } = parts;
  const sizes = await cellSizes(train.items, { ...call, factorOf: ({ scale = 1 }) => scale });
  if (!sizes) {
    throw new CellrouteError('INVALID_ARGUMENT', 'Expected annotated cells in the training images for data', {
      option: 'data',
      expected: 'annotated cells',
    });
  }
  emit({ kind: 'data', train: train.items.length, heldOut: validation.items.length, sizes });
  const device = (await resolveDevice(options.device, call)) as Device;
  const tried: (Start & Awaited<ReturnType<typeof tryStart>>)[] = [];
  for (const start of await startsFor(options.start)) {
    const found = await tryStart(start, train.items, sizes, { device, ...call });
    tried.push({ ...start, ...found });
    emit({ kind: 'tried', ...found });
  }
  // Of equal scores, the first start wins.
  const { images: _, ...start } = tried.reduce((best, one) => (one.ap50 > best.ap50 ? one : best));
  const { name, scale, ap50, kaggle } = start;
  emit({ kind: 'chosen', name, scale, ap50, kaggle });
  const pixelSize = await commonPixelSize(train.items, call.signal);
  const decided = {
    start,
    tried: tried.map(({ path: _path, thresholds: _own, images: _images, ...one }) => one),
    sizes,
    pixelSize,
    device,
    heldOut: validation.items.map(({ id }) => id),
  };
  const { precision, secondsPerStep } = await measurePrecision(context, decided);
  return { decided: { ...decided, precision }, secondsPerStep };
}

/** Inputs of the training configuration except its length and precision. */
export const recipeInput = (
  { options }: Context,
  { start, sizes, pixelSize, device }: Omit<Decided, 'precision'>,
): Omit<RecipeInput, 'precision' | 'steps' | 'everySteps'> => ({
  weights: start.path,
  startScore: start.ap50,
  sizes,
  pixelSize,
  scale: start.scale,
  device: device as Device,
  metric: options.metric,
  seed: options.seed,
});

/**
 * The requested precision; with `auto` the faster precision that the device supports. If the number of steps is fixed,
 * nothing is measured and `auto` does not depend on the processor.
 */
async function measurePrecision(
  context: Context,
  decided: Omit<Decided, 'precision'>,
): Promise<{ precision: Decided['precision']; secondsPerStep: number }> {
  const { options, parts, call } = context;
  const onCpu = decided.device === 'cpu';
  if (options.steps !== null) {
    const precision = options.precision === 'auto' ? (onCpu ? 'float32' : 'tf32') : options.precision;
    return { precision, secondsPerStep: 0 };
  }
  const measure = async (precision: Decided['precision']) => {
    const recipe = recipeFor({
      ...recipeInput(context, decided),
      precision,
      steps: 100,
      everySteps: 100,
    });
    return { precision, secondsPerStep: await measureStep(recipe, parts.train, TIMED_STEPS, call) };
  };
  if (options.precision !== 'auto') return measure(options.precision);
  if (!onCpu) return measure('tf32');
  const full = await measure('float32');
  if (choosePrecision('auto', decided.device) !== 'bfloat16') return full;
  const half = await measure('bfloat16');
  return half.secondsPerStep < full.secondsPerStep ? half : full;
}

/** The common pixel size of the images at their scales, within 1 %; null if an image has none or another one. */
async function commonPixelSize(
  items: readonly DatasetItem[],
  signal: AbortSignal | undefined,
): Promise<number | null> {
  const sizes: number[] = [];
  for (const item of spread(items, MAX_SIZED_IMAGES)) {
    const { image } = await item.load({ signal });
    const own = ArrayBuffer.isView(image)
      ? (await readImageInfo(image)).source.pixelSize
      : image.source?.pixelSize;
    if (own === undefined) return null;
    sizes.push(own / (item.scale ?? 1));
  }
  const [first = 0] = sizes;
  return sizes.every((size) => Math.abs(size / first - 1) < 0.01) ? first : null;
}
