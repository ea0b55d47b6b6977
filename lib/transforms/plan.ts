import type { Intensity } from '../config/shared.js';
import type { Random } from '../data/random.js';
import { CellrouteError } from '../errors.js';
import type { NativeSamplePlan, NativeSampleSide } from '../native/contract.js';
import { Frame, type FrameSide } from './frame.js';
import { scaled } from './geometric.js';
import type { Draft } from './kind.js';
import { applyTransform, type Transform } from './transform.js';

/** Maximum number of pixels of a sample: a limit for memory and for the size of a typed array. */
const MAX_PIXELS = 2 ** 26;

/**
 * Plans a sample: applies a chain of transforms to an image size. All random numbers come from `random`.
 *
 * @param scale factor of the image before its transforms.
 * @throws {CellrouteError} INVALID_ARGUMENT if the sample would have more than 2^26 pixels.
 */
export function planSample(
  transforms: readonly Transform[],
  size: { width: number; height: number },
  random: Random,
  scale = 1,
): Draft {
  let draft: Draft = { frame: scaled(Frame.of(size), scale), photometric: [], fill: 0 };
  for (const transform of transforms) draft = applyTransform(transform, draft, random);
  const { width, height } = draft.frame;
  if (width * height > MAX_PIXELS) {
    throw new CellrouteError(
      'INVALID_ARGUMENT',
      `A sample of ${width} × ${height} pixels is too large to train on; add a random-crop to its transforms`,
      { option: 'transforms', expected: `at most ${MAX_PIXELS} pixels`, got: `${width} × ${height}` },
    );
  }
  return draft;
}

/** Converts a planned sample to native options. */
export function nativePlan(
  { frame, photometric, fill }: Draft,
  intensity: Intensity,
  minVisible: number,
): NativeSamplePlan {
  const transposed = frame.horizontal.along === 'y';
  return {
    intensity,
    transposed,
    x: nativeSide(transposed ? frame.vertical : frame.horizontal),
    y: nativeSide(transposed ? frame.horizontal : frame.vertical),
    photometric,
    fill,
    minVisible,
  };
}

const nativeSide = ({ size, origin, step, first, end }: FrameSide): NativeSampleSide => ({
  size,
  origin,
  step,
  first,
  end,
});
