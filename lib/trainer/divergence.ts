import { defined } from '../defined.js';
import { CellrouteError } from '../errors.js';
import type { NativeStepResult } from '../native/contract.js';

/** Minimum number of losses for a meaningful median. */
const FEWEST = 10;
/**
 * Lower bound of the median. A classifier that is right about every image has a loss near zero, and a single wrong
 * image has hundreds of times that loss.
 */
const MIN_MEDIAN = 0.1;

export interface DivergenceRule {
  multiple: number | null;
  window: number;
}

/**
 * Returns the reason why a step must stop the run, or undefined.
 *
 * @param recent total losses of the previous steps.
 */
export function divergenceOf(
  { losses, gradNorm, applied }: NativeStepResult,
  total: number,
  recent: readonly number[],
  { multiple }: DivergenceRule,
): string | undefined {
  const broken = Object.entries(losses).find(([, value]) => !Number.isFinite(value));
  if (broken) return `${broken[0]} is ${broken[1]}`;
  if (!Number.isFinite(gradNorm)) return `the gradient norm is ${gradNorm}`;
  if (!applied) return 'a loss or a gradient is not finite';
  if (multiple === null || recent.length < FEWEST) return undefined;
  const usual = median(recent);
  if (total <= multiple * Math.max(usual, MIN_MEDIAN)) return undefined;
  return `the loss is ${total.toPrecision(4)}, more than ${multiple} times the median of the last ${recent.length} steps (${usual.toPrecision(4)})`;
}

/** Appends a total loss to the recent ones. */
export const remember = (recent: readonly number[], total: number, { window }: DivergenceRule): number[] =>
  [...recent, total].slice(-window);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Error of a diverged run; `checkpoint` is the last checkpoint before it, if there is one. */
export function diverged(
  reason: string,
  step: number,
  images: readonly string[],
  checkpoint: string | undefined,
): CellrouteError {
  const from = checkpoint ? ` Last checkpoint: ${checkpoint}.` : '';
  return new CellrouteError(
    'TRAINING_DIVERGED',
    `Step ${step}: ${reason}. Images of this step: ${images.join(', ')}.${from} Try a lower learning rate or clipNorm, and check these images.`,
    { step, images, ...defined({ file: checkpoint }) },
  );
}
