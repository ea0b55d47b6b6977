import { CellrouteError } from '../errors.js';
import type { NativeStepResult } from '../native/contract.js';

/** Losses before there is a median worth comparing with. */
const FEWEST = 10;
/**
 * A median below this is taken for this. A classifier that is right about everything has a loss near zero, and one
 * image that it gets wrong is hundreds of times that.
 */
const LEAST_MEDIAN = 0.1;

export interface DivergenceRule {
  multiple: number | null;
  window: number;
}

/**
 * Why a step's result must stop the run, or nothing.
 *
 * @param recent total losses of the steps before.
 */
export function divergenceOf(
  { losses, gradNorm, applied }: NativeStepResult,
  total: number,
  recent: readonly number[],
  { multiple }: DivergenceRule,
): string | undefined {
  const broken = Object.entries(losses).find(([, value]) => !Number.isFinite(value));
  if (broken) return `${broken[0]} is ${broken[1]}`;
  if (!Number.isFinite(gradNorm)) return `the gradients' norm is ${gradNorm}`;
  if (!applied) return 'a loss or a gradient is not finite';
  if (multiple === null || recent.length < FEWEST) return undefined;
  const usual = median(recent);
  if (total <= multiple * Math.max(usual, LEAST_MEDIAN)) return undefined;
  return `the loss is ${total.toPrecision(4)}, more than ${multiple} times its median of the last ${recent.length} steps (${usual.toPrecision(4)})`;
}

/** The last totals with one more. */
export const remember = (recent: readonly number[], total: number, { window }: DivergenceRule): number[] =>
  [...recent, total].slice(-window);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The error of a run that cannot go on; `checkpoint` is where to go on from, where there is one. */
export function diverged(
  why: string,
  step: number,
  images: readonly string[],
  checkpoint: string | undefined,
): CellrouteError {
  const from = checkpoint ? ` A checkpoint from before is ${checkpoint}.` : '';
  return new CellrouteError(
    'TRAINING_DIVERGED',
    `Step ${step}: ${why}. Its images: ${images.join(', ')}.${from} A lower learning rate, clipNorm, or a look at these images may help.`,
    { step, images, ...(checkpoint ? { file: checkpoint } : {}) },
  );
}
