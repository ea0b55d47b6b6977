import { literal, number } from '../config/schema.js';
import { kind } from './kind.js';

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
