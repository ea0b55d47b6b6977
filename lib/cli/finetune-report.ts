import { join } from 'node:path';
import { FILES } from '../finetune/context.js';
import type { FinetuneEvent } from '../finetune/events.js';
import type { FinetuneSummary, ScoreWithInterval } from '../finetune/summary.js';
import { columns } from './columns.js';
import { thresholdsPhrase } from './thresholds.js';
import { duration } from './train-report.js';

/** Seconds between two lines of progress. */
const EVERY_SECONDS = 15;

const three = (value: number) => value.toFixed(3);

/** Prints the events of a fine-tuning as lines: the same with and without a terminal. */
export class FinetuneReport {
  readonly #quiet: boolean;
  #printed = 0;

  /** @param options.quiet prints to stderr, so that stdout has the summary alone. */
  constructor({ quiet }: { quiet: boolean }) {
    this.#quiet = quiet;
  }

  report(event: FinetuneEvent): void {
    for (const line of this.#linesOf(event)) (this.#quiet ? console.error : console.log)(line);
  }

  #linesOf(event: FinetuneEvent): string[] {
    switch (event.kind) {
      case 'data': {
        const { train, heldOut, sizes } = event;
        const [low, high] = sizes.range.map((value) => value.toFixed(0));
        return [
          `${train} images to train on with ${sizes.cells} cells of ${sizes.diameter.toFixed(1)} pixels diameter (${low} to ${high}), ${heldOut} held out`,
        ];
      }
      case 'tried':
        return [
          `  tried ${event.name} at scale ${event.scale}: AP50 ${three(event.ap50)}, Kaggle ${three(event.kaggle)} on ${event.images} training images`,
        ];
      case 'chosen':
        return [`Start: ${event.name}, with resize.scale ${event.scale}`];
      case 'held-out':
        return [
          `Held-out images, ${{ start: 'start as it is', scaled: 'start at this scale', trained: 'trained' }[event.model]}: ${event.metric} ${three(event.score)}`,
        ];
      case 'plan':
        return [
          `${event.steps} steps of ${event.batchSize} crops${event.secondsPerStep > 0 ? `, ${event.secondsPerStep.toFixed(2)} s each` : ''}, in ${event.precision} on ${event.device}; evaluated every ${event.everySteps} steps; learning rate up to ${event.learningRate}`,
        ];
      case 'training':
        return this.#trainingLines(event.event);
      case 'notice':
        return [`note: ${event.message}`];
      case 'finished':
        return finishedLines(event.summary);
    }
  }

  #trainingLines(event: Extract<FinetuneEvent, { kind: 'training' }>['event']): string[] {
    if (event.kind === 'notice') return [`note: ${event.message}`];
    if (event.kind === 'validation') {
      const best = event.best ? ' (best so far)' : '';
      return [
        `  step ${event.step}: held-out ${event.metric} ${three(event.score)} at default thresholds${best}`,
      ];
    }
    if (event.kind === 'stop' && event.reason === 'early-stopping') {
      return ['Stopped early: the score on the held-out images does not improve any more'];
    }
    if (event.kind !== 'step') return [];
    const now = performance.now() / 1000;
    if (event.step < event.steps && now - this.#printed < EVERY_SECONDS) return [];
    this.#printed = now;
    return [
      `  step ${event.step} of ${event.steps}: loss ${three(event.total)}, ${duration(event.secondsLeft)} left`,
    ];
  }
}

function finishedLines(summary: FinetuneSummary): string[] {
  const { scores, result, metric, folder, difference, images, training, seconds, thresholds } = summary;
  const row = (name: string, { score, interval }: ScoreWithInterval) => [
    name,
    three(score),
    interval ? `${three(interval[0])} to ${three(interval[1])}` : '',
  ];
  const [low, high] = difference.interval.map((value) => `${value < 0 ? '' : '+'}${three(value)}`);
  const isOne = images.heldOut === 1;
  const change = `${difference.difference < 0 ? '' : '+'}${three(difference.difference)}${isOne ? '' : ` (${low} to ${high})`}`;
  const unhelpful =
    scores.trained.score > scores.result.score
      ? 'The gain of training on the held-out images can be chance'
      : 'Training did not help on the held-out images';
  return [
    '',
    ...columns([
      [`${images.heldOut} held-out ${isOne ? 'image' : 'images'}`, metric, isOne ? '' : '95 % interval'],
      row('start as it is', scores.start),
      row('start at this scale', scores.scaled),
      row('trained', scores.trained),
    ]),
    result === 'trained'
      ? `The model is the trained network, ${change} against the start as it is.`
      : `${unhelpful}: the model is the start${result === 'scaled' ? ' at this scale' : ' as it is'}. To change that, annotate more images or give more time (--minutes).`,
    ...(isOne
      ? ['One held-out image makes this comparison uncertain: hold out more images with --validation.']
      : []),
    `Thresholds: ${thresholdsPhrase(thresholds)}`,
    `${training.steps} steps, ${duration(seconds)} in all. Model: ${folder}`,
    `Ground truth and predictions of held-out images, before and after: ${join(folder, FILES.figure)}`,
    `Use it with: cellroute segment IMAGES --model ${folder} --out RESULTS`,
  ];
}
