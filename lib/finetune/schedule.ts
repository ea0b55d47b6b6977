/** What a training is planned from; seconds as measured here. */
export interface Speed {
  secondsPerStep: number;
  /** Of one evaluation of the held-out images. */
  secondsPerEvaluation: number;
}

/** Steps of a training and of the evaluations on its way. */
export interface StepPlan {
  steps: number;
  /** Steps between two evaluations; the last one is at the end. */
  everySteps: number;
}

/** Largest share of the time that evaluations take. */
const EVALUATIONS = 0.2;
const MOST_EVALUATIONS = 8;
/** Fewer change nothing. */
const LEAST_STEPS = 10;

/** As many steps as fit into the seconds, with evaluations between them. */
export function planSteps(seconds: number, { secondsPerStep, secondsPerEvaluation }: Speed): StepPlan {
  const affordable = Math.floor((EVALUATIONS * seconds) / secondsPerEvaluation);
  const evaluations = Math.min(MOST_EVALUATIONS, Math.max(1, affordable));
  const left = seconds - evaluations * secondsPerEvaluation;
  const steps = Math.max(LEAST_STEPS, Math.floor(left / secondsPerStep));
  return { steps, everySteps: Math.ceil(steps / evaluations) };
}

/** Where a training stands. */
export interface Standing {
  step: number;
  /** Seconds until the training has to end. */
  secondsLeft: number;
}

/** A plan is replaced where it would miss its end by more than this share of the time that is left. */
const TOLERANCE = 0.15;
/** Without enough steps behind it a speed is a guess; with few before it a new plan is of no use. */
const SETTLED = 5;

/**
 * The number of steps with which a training ends in time at the present speed; undefined where the plan does. The machine may
 * be busier or less busy than it was.
 */
export function replan(
  { steps, everySteps }: StepPlan,
  { step, secondsLeft }: Standing,
  speed: Speed,
): number | undefined {
  const left = steps - step;
  if (step < SETTLED || left < SETTLED) return undefined;
  const evaluations = Math.ceil(left / everySteps) * speed.secondsPerEvaluation;
  const needed = left * speed.secondsPerStep + evaluations;
  if (Math.abs(needed - secondsLeft) <= TOLERANCE * Math.max(secondsLeft, needed)) return undefined;
  const affordable = Math.floor(
    Math.max(0, secondsLeft - speed.secondsPerEvaluation) /
      (speed.secondsPerStep + speed.secondsPerEvaluation / everySteps),
  );
  return step + Math.max(1, affordable);
}
