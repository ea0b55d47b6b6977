import type { Schedule } from './config.js';

/** What a schedule sets before a step: SGD's momentum is AdamW's beta1. */
export interface Rates {
  lr: number;
  momentum: number;
}

/** The rates of an optimizer as it is configured; a schedule starts from them. */
export type BaseRates = Readonly<Rates>;

/**
 * The rates before step `step` of `steps`, from 0. A function of the step alone: where a run is interrupted makes no
 * difference.
 *
 * - `one-cycle` is torch's OneCycleLR, stepped every batch: it sets its own rates, whatever the optimizer's are.
 * - `warmup-cosine` rises in a straight line from `warmupFactor` times the optimizer's lr, then falls along half a
 *   cosine to `minLr`: torch's LinearLR, then CosineAnnealingLR.
 * - `constant` rises the same way, and stays.
 */
export function ratesAt(schedule: Schedule, base: BaseRates, step: number, steps: number): Rates {
  if (schedule.kind === 'one-cycle') return oneCycle(schedule, base, step, steps);
  const { warmupSteps, warmupFactor } = schedule;
  if (step < warmupSteps) {
    const done = step / warmupSteps;
    return { lr: base.lr * (warmupFactor + (1 - warmupFactor) * done), momentum: base.momentum };
  }
  if (schedule.kind === 'constant') return { ...base };
  // A warm-up longer than the run leaves nothing to fall along, and is not divided by.
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
  // torch's own ends: fractions of a step, and never past the last one.
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
      // A run of one step ends where it starts.
      const done = end === start ? 1 : (step - start) / (end - start);
      return {
        lr: anneal(lr[0]!, lr[1]!, done),
        momentum: schedule.cycleMomentum ? anneal(momentum[0]!, momentum[1]!, done) : base.momentum,
      };
    }
    start = end;
  }
  throw new Error('A schedule without phases');
}

const cosine = (from: number, to: number, done: number): number =>
  to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));

const linear = (from: number, to: number, done: number): number => (to - from) * done + from;
