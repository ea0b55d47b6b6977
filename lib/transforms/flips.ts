import { literal, number } from '../config/schema.js';
import { kind } from './kind.js';

const probability = number(0.5, { min: 0, max: 1 });

/** Left becomes right, with probability `p` (default 0.5). */
export const flipHorizontalKind = kind(
  { kind: literal('flip-horizontal'), p: probability },
  ({ p }, draft, random) => (random.chance(p) ? { ...draft, frame: draft.frame.flipHorizontal() } : draft),
);

/** Top becomes bottom, with probability `p` (default 0.5). */
export const flipVerticalKind = kind(
  { kind: literal('flip-vertical'), p: probability },
  ({ p }, draft, random) => (random.chance(p) ? { ...draft, frame: draft.frame.flipVertical() } : draft),
);

/** Turns by 0, 90, 180 or 270 degrees, each as likely. */
export const quarterTurnsKind = kind({ kind: literal('quarter-turns') }, (_, draft, random) => ({
  ...draft,
  frame: draft.frame.turn(random.integer(0, 3)),
}));
