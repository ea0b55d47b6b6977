import { literal, number } from '../config/schema.js';
import { kind } from './kind.js';

const strength = (max: number) => number(0, { min: 0, max });

/**
 * Random brightness, contrast and gamma. Each factor is uniformly distributed between `1 - strength` and
 * `1 + strength`.
 */
export const intensityKind = kind(
  {
    kind: literal('intensity'),
    brightness: strength(1),
    contrast: strength(1),
    gamma: strength(0.9),
  },
  ({ brightness, contrast, gamma }, draft, random) => {
    const factor = (own: number) => random.uniform(1 - own, 1 + own);
    const drawn = { brightness: factor(brightness), contrast: factor(contrast), gamma: factor(gamma) };
    return { ...draft, photometric: [...draft.photometric, drawn] };
  },
);
