/** Measured durations that a training is planned from. */
export interface Speed {
  secondsPerStep: number;
  /** Seconds of one evaluation on the held-out images. */
  secondsPerEvaluation: number;
}

/** Steps of a training, and how often it is evaluated. */
export interface StepPlan {
  steps: number;
  /** Steps between two evaluations; the last one is at the end. */
  everySteps: number;
}

/** Maximum share of the time for evaluations. */
const EVALUATION_SHARE = 0.2;
const MAX_EVALUATIONS = 8;
/** Fewer steps do not change a network measurably. */
const MIN_STEPS = 10;

/** Plans as many steps and evaluations as fit into a time. */
export function planSteps(seconds: number, { secondsPerStep, secondsPerEvaluation }: Speed): StepPlan {
  const affordable = Math.floor((EVALUATION_SHARE * seconds) / secondsPerEvaluation);
  const evaluations = Math.min(MAX_EVALUATIONS, Math.max(1, affordable));
  const left = seconds - evaluations * secondsPerEvaluation;
  const steps = Math.max(MIN_STEPS, Math.floor(left / secondsPerStep));
  return { steps, everySteps: Math.ceil(steps / evaluations) };
}

/** Position of a running training. */
export interface TrainingPosition {
  step: number;
  /** Seconds until the deadline. */
  secondsLeft: number;
}

/** A plan is replaced if its end differs from the deadline by more than this share of the remaining time. */
const TOLERANCE = 0.15;
/** Minimum number of finished steps to measure a speed, and of remaining steps to change a plan. */
const MIN_STEPS_TO_REPLAN = 5;

/**
 * Returns the number of steps with which a training ends at its deadline at the current speed, which changes with the load of
 * the machine. Returns undefined if the plan is kept.
 */
export function replan(
  { steps, everySteps }: StepPlan,
  { step, secondsLeft }: TrainingPosition,
  speed: Speed,
): number | undefined {
  const left = steps - step;
  if (step < MIN_STEPS_TO_REPLAN || left < MIN_STEPS_TO_REPLAN) return undefined;
  const evaluations = Math.ceil(left / everySteps) * speed.secondsPerEvaluation;
  const needed = left * speed.secondsPerStep + evaluations;
  if (Math.abs(needed - secondsLeft) <= TOLERANCE * Math.max(secondsLeft, needed)) return undefined;
  const affordable = Math.floor(
    Math.max(0, secondsLeft - speed.secondsPerEvaluation) /
      (speed.secondsPerStep + speed.secondsPerEvaluation / everySteps),
  );
  return step + Math.max(1, affordable);
}
