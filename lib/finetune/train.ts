import type { PartialSegmenterTraining } from '../trainer/config.js';
import type { StopEvent } from '../trainer/events.js';
import { exists, RunFolder } from '../trainer/run-folder.js';
import { SegmenterTrainer } from '../trainer/segmenter-trainer.js';
import { type Context, type Decided, fileOf, type Planned } from './context.js';
import { recipeInput } from './decide.js';
import { learningRateFor, recipeFor } from './recipe.js';
import { replan, type StepPlan } from './schedule.js';

/** How a training ended. */
export interface Trained {
  /** File of the best weights. */
  weights: string;
  steps: number;
  planned: number;
  best: StopEvent['best'];
  reason: string;
  batchSize: number;
  learningRate: number;
}

/** Seconds between two checks of the plan. */
const CHECK_SECONDS = 10;

/**
 * Trains until the planned last step or until early stopping. If the speed changes, the run is resumed with another number
 * of steps, so that the training ends at the deadline; the learning rate schedule ends at the new last step.
 *
 * @param deadline end of the training in seconds since the call; null if the number of steps is fixed.
 * @param checkSeconds seconds between two checks of the plan.
 */
export async function train(
  context: Context,
  decided: Decided,
  { plan, speed }: Planned,
  deadline: number | null,
  checkSeconds = CHECK_SECONDS,
): Promise<Trained> {
  const { parts, call, emit, seconds } = context;
  const folder = fileOf(context, 'run');
  const data = { data: parts.train, validation: parts.validation };
  let planned = plan;
  for (;;) {
    const config = configOf(context, decided, planned);
    emit({
      kind: 'plan',
      ...planned,
      secondsPerStep: speed.secondsPerStep,
      precision: decided.precision,
      device: decided.device,
      batchSize: config.batchSize!,
      learningRate: learningRateFor(decided.start.ap50),
    });
    // The folder exists if the run was interrupted, or continues with another number of steps.
    const trainer = (await exists(RunFolder.at(folder).config))
      ? await SegmenterTrainer.resume(folder, { ...data, config, force: true })
      : new SegmenterTrainer({ ...data, folder, config });
    const lengthChanges = new AbortController();
    const signal = AbortSignal.any([lengthChanges.signal, ...(call.signal ? [call.signal] : [])]);
    let next: StepPlan | undefined;
    let checked = seconds();
    for await (const event of trainer.run({ signal })) {
      if (event.kind === 'stop' && event.reason !== 'aborted') {
        emit({ kind: 'training', event });
        return {
          weights: event.weights!,
          steps: event.step,
          planned: planned.steps,
          best: event.best,
          reason: event.reason,
          batchSize: config.batchSize!,
          learningRate: learningRateFor(decided.start.ap50),
        };
      }
      emit({ kind: 'training', event });
      if (event.kind !== 'step' || deadline === null || seconds() - checked < checkSeconds) continue;
      checked = seconds();
      const secondsPerStep = event.secondsLeft / Math.max(1, event.steps - event.step);
      const position = { step: event.step, secondsLeft: deadline - seconds() };
      const steps =
        event.step < event.steps ? replan(planned, position, { ...speed, secondsPerStep }) : undefined;
      if (steps === undefined) continue;
      speed = { ...speed, secondsPerStep };
      next = { ...planned, steps };
      lengthChanges.abort();
    }
    call.signal?.throwIfAborted();
    planned = next!;
  }
}

const configOf = (context: Context, decided: Decided, plan: StepPlan): PartialSegmenterTraining =>
  recipeFor({ ...recipeInput(context, decided), ...plan, precision: decided.precision });
