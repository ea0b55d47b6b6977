import type { Schedule } from './config.js';

/** Rates of a step. `momentum` is beta1 of AdamW. */
export interface Rates {
  lr: number;
  momentum: number;
}

/** Rates in the optimizer's configuration, from which a schedule starts. */
export type BaseRates = Readonly<Rates>;

/**
 * Rates of step `step` (from 0) of `steps`. They depend only on the step, so interruptions do not matter.
 *
 * - `one-cycle`: torch's OneCycleLR, stepped every batch. It ignores the optimizer's rates.
 * - `warmup-cosine`: linear warm-up from `warmupFactor` times the optimizer's lr, then cosine decay to `minLr`: torch's
 *   LinearLR, then CosineAnnealingLR.
 * - `constant`: linear warm-up, then constant.
 */
export function ratesAt(schedule: Schedule, base: BaseRates, step: number, steps: number): Rates {
  if (schedule.kind === 'one-cycle') return oneCycle(schedule, base, step, steps);
  const { warmupSteps, warmupFactor } = schedule;
  if (step < warmupSteps) {
    const done = step / warmupSteps;
    return { lr: base.lr * (warmupFactor + (1 - warmupFactor) * done), momentum: base.momentum };
  }
  if (schedule.kind === 'constant') return { ...base };
  // If warm-up is longer than the run there is no decay; avoid a division by zero.
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return { lr: cosine(base.lr, schedule.minLr, done), momentum: base.momentum };
}

function oneCycle(
  schedule: Extract<Schedule, { kind: 'one-cycle' }>,
  base: BaseRates,
  step: number,
  steps: number,
): Rates {
  const { maxLr, pctStart, divFactor, finalDivFactor, baseMomentum, maxMomentum } = schedule;
  const initialLr = maxLr / divFactor;
  const finalLr = initialLr / finalDivFactor;
  const rise = { lr: [initialLr, maxLr], momentum: [maxMomentum, baseMomentum] } as const;
  // As in torch: phase ends are fractions of a step, and never after the last step.
  const phases = schedule.threePhase
    ? [
        { end: pctStart * steps - 1, ...rise },
        { end: 2 * pctStart * steps - 2, lr: [maxLr, initialLr], momentum: [baseMomentum, maxMomentum] },
        { end: steps - 1, lr: [initialLr, finalLr], momentum: [maxMomentum, maxMomentum] },
      ]
    : [
        { end: pctStart * steps - 1, ...rise },
        { end: steps - 1, lr: [maxLr, finalLr], momentum: [baseMomentum, maxMomentum] },
      ];
  const anneal = schedule.annealStrategy === 'cos' ? cosine : linear;
  let start = 0;
  for (const [i, { end, lr, momentum }] of phases.entries()) {
    if (step <= end || i === phases.length - 1) {
      // A run of one step ends at its start.
      const done = end === start ? 1 : (step - start) / (end - start);
      return {
        lr: anneal(lr[0]!, lr[1]!, done),
        momentum: schedule.cycleMomentum ? anneal(momentum[0]!, momentum[1]!, done) : base.momentum,
      };
    }
    start = end;
  }
  throw new Error('The schedule has no phases');
}

const cosine = (from: number, to: number, done: number): number =>
  to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));

const linear = (from: number, to: number, done: number): number => (to - from) * done + from;
