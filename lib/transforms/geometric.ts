import { refuse } from '../check.js';
import { described, literal, number, oneOf, required } from '../config/schema.js';
import type { Random } from '../data/random.js';
import { centredPart } from '../image/centred-part.js';
import type { Frame } from './frame.js';
import { kind, MAX_SIDE, side } from './kind.js';

const probability = number(0.5, { min: 0, max: 1 });

/** Flips left and right with probability `p` (default 0.5). */
export const flipHorizontalKind = kind(
  { kind: literal('flip-horizontal'), p: probability },
  ({ p }, draft, random) => (random.chance(p) ? { ...draft, frame: draft.frame.flipHorizontal() } : draft),
);

/** Flips top and bottom with probability `p` (default 0.5). */
export const flipVerticalKind = kind(
  { kind: literal('flip-vertical'), p: probability },
  ({ p }, draft, random) => (random.chance(p) ? { ...draft, frame: draft.frame.flipVertical() } : draft),
);

/** Rotates by 0, 90, 180 or 270 degrees with equal probability. */
export const quarterTurnsKind = kind({ kind: literal('quarter-turns') }, (_, draft, random) => ({
  ...draft,
  frame: draft.frame.turn(random.integer(0, 3)),
}));

/** Crops the frame at a random position. A shorter side is not cropped. */
function randomPart(frame: Frame, width: number, height: number, random: Random): Frame {
  const w = Math.min(width, frame.width);
  const h = Math.min(height, frame.height);
  return frame.crop(random.integer(0, frame.width - w), random.integer(0, frame.height - h), w, h);
}

/** The frame with both sides times a factor, rounded. */
export function scaled(frame: Frame, factor: number): Frame {
  if (factor === 1) return frame;
  const size = (pixels: number) => Math.min(Math.max(Math.round(pixels * factor), 1), MAX_SIDE);
  return frame.resize(size(frame.width), size(frame.height));
}

/** Random crop of `width` × `height` pixels. A shorter side is not cropped. */
export const randomCropKind = kind(
  { kind: literal('random-crop'), width: side, height: side },
  ({ width, height }, draft, random) => ({ ...draft, frame: randomPart(draft.frame, width, height, random) }),
);

/** Random crop of `width` × `height` pixels, enlarged by `scale`. */
export const cropAndUpscaleKind = kind(
  {
    kind: literal('crop-and-upscale'),
    width: side,
    height: side,
    scale: required(number(1, { min: 1, max: 16 })),
  },
  ({ width, height, scale }, draft, random) => ({
    ...draft,
    frame: scaled(randomPart(draft.frame, width, height, random), scale),
  }),
);

const factor = required(number(1, { min: 0.05, max: 20 }));
const jitter = kind(
  { kind: literal('scale-jitter'), min: factor, max: factor },
  ({ min, max }, draft, random) => ({ ...draft, frame: scaled(draft.frame, random.uniform(min, max)) }),
);

/** Random scale between `min` and `max`. */
export const scaleJitterKind = {
  ...jitter,
  read: described((value, path) => {
    const spec = jitter.read(value, path);
    if (spec.min <= spec.max) return spec;
    throw refuse(
      path ? `${path}.min` : 'min',
      `a number of at most max (${spec.max})`,
      spec.min,
      'INVALID_CONFIG',
    );
  }, jitter.read.schema!),
};

/** Scales as a network's `resize` does (torchvision's GeneralizedRCNNTransform). */
export const shortSideKind = kind(
  { kind: literal('short-side'), minSize: side, maxSize: side },
  ({ minSize, maxSize }, draft) => {
    const { width, height } = draft.frame;
    const factor = Math.min(minSize / Math.min(width, height), maxSize / Math.max(width, height));
    const size = (pixels: number) => Math.max(Math.floor(pixels * factor), 1);
    return { ...draft, frame: draft.frame.resize(size(width), size(height)) };
  },
);

/** Pads to at least `width` × `height` with the value `fill`; the image is centred. */
export const padKind = kind(
  { kind: literal('pad'), width: side, height: side, fill: number(0, { min: 0, max: 1 }) },
  ({ width, height, fill }, draft) => {
    const { frame } = draft;
    const w = Math.max(width, frame.width);
    const h = Math.max(height, frame.height);
    const left = -Math.floor((w - frame.width) / 2);
    const top = -Math.floor((h - frame.height) / 2);
    return { ...draft, fill, frame: frame.crop(left, top, w, h) };
  },
);

/**
 * Scales to `width` × `height`: `crop` first crops the largest part with that aspect ratio, at the centre or a random
 * position; `squish` ignores the aspect ratio; `inside` keeps it, so one side may be smaller.
 */
export const resizeKind = kind(
  {
    kind: literal('resize'),
    width: side,
    height: side,
    method: oneOf('crop', ['crop', 'squish', 'inside']),
    position: oneOf('centre', ['centre', 'random']),
  },
  ({ width, height, method, position }, draft, random) => {
    const { frame } = draft;
    if (method === 'squish') return { ...draft, frame: frame.resize(width, height) };
    if (method === 'inside') {
      const ratio = Math.min(width / frame.width, height / frame.height);
      const size = (pixels: number) => Math.max(Math.round(pixels * ratio), 1);
      return { ...draft, frame: frame.resize(size(frame.width), size(frame.height)) };
    }
    const centred = centredPart(frame, { width, height });
    const part =
      position === 'random'
        ? randomPart(frame, centred.width, centred.height, random)
        : frame.crop(centred.x, centred.y, centred.width, centred.height);
    return { ...draft, frame: part.resize(width, height) };
  },
);
