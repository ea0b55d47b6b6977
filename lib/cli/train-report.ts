import type { SingleBar } from 'cli-progress';
import type { EnsembleTrainEvent } from '../trainer/ensemble-trainer.js';
import type { ClassifierTrainEvent, SegmenterTrainEvent } from '../trainer/events.js';
import { progressBar } from './batch.js';

export type AnyTrainEvent = SegmenterTrainEvent | ClassifierTrainEvent | EnsembleTrainEvent;
type EventOf<K extends AnyTrainEvent['kind']> = Extract<AnyTrainEvent, { kind: K }>;

/** Number of batches between two printed lines. */
const BATCHES_PER_LINE = 50;

const column = (value: number) => value.toFixed(3).padStart(7);
const count = (value: number, width: number) => String(value).padStart(width);
const prefix = ({ epoch, epochs }: { epoch: number; epochs: number }) =>
  `[Epoch ${count(epoch, 2)} / ${count(epochs, 2)}]`;

/** Formats an event as lines of text. Those of batches and epochs have the format of the original notebook. */
export function linesOf(event: AnyTrainEvent): string[] {
  switch (event.kind) {
    case 'part': {
      const { network, cellType: type, index, parts } = event.part;
      const name = type === undefined ? network : `${network} of ${type}`;
      const state = { started: '', resumed: ', resumed', finished: ', already finished' }[event.state];
      return [`== ${name} (${index} of ${parts})${state}`];
    }
    case 'start':
      return startLines(event);
    case 'step':
      return stepLines(event);
    case 'epoch':
      return epochLines(event);
    case 'validation': {
      const { metric, score, best } = event;
      return [
        `[Epoch ${count(event.epoch, 2)}] Validation ${metric}: ${column(score)}${best ? ' (best so far)' : ''}`,
      ];
    }
    case 'stop':
      return stopLines(event);
    case 'ensemble':
      return [`Ensemble written to ${event.folder}`];
    default:
      return [];
  }
}

function startLines({ resumed, folder, epochs, epoch, steps, step, report }: EventOf<'start'>): string[] {
  const lines = [
    resumed
      ? `Resuming at step ${step} of ${steps} (epoch ${epoch} of ${epochs}), in ${folder}`
      : `${steps} steps in ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}, in ${folder}`,
  ];
  if (report) {
    const { loaded, initialized, skipped } = report;
    lines.push(
      `${loaded.length} tensors loaded, ${initialized.length} initialized, ${skipped.length} skipped`,
    );
    const shown = skipped.slice(0, 5);
    lines.push(...shown.map((sentence) => `  - ${sentence}`));
    if (skipped.length > shown.length) lines.push(`  - and ${skipped.length - shown.length} more`);
  }
  return lines;
}

function stepLines({ batch, batches, epoch, epochs, total, losses }: EventOf<'step'>): string[] {
  const lines = batch === 1 ? [`Starting epoch ${epoch} of ${epochs}`] : [];
  if (batch % BATCHES_PER_LINE === 0) {
    const mask = 'loss_mask' in losses ? `. Mask-only loss: ${column(losses.loss_mask)}` : '';
    lines.push(
      `    [Batch ${count(batch, 3)} / ${count(batches, 3)}] Batch train loss: ${column(total)}${mask}`,
    );
  }
  return lines;
}

function epochLines(event: EventOf<'epoch'>): string[] {
  const { losses, total, seconds } = event;
  const mask =
    'loss_mask' in losses ? [`${prefix(event)} Train mask-only loss: ${column(losses.loss_mask)}`] : [];
  return [...mask, `${prefix(event)} Train loss: ${column(total)}. [${seconds.toFixed(0)} secs]`];
}

function stopLines({ reason, step, best, weights }: EventOf<'stop'>): string[] {
  if (reason === 'aborted') return [];
  const early = reason === 'early-stopping' ? ', early: the validation score stopped improving' : '';
  const from = best ? ` (step ${best.step}, best score ${best.score.toFixed(4)})` : '';
  return [`Finished after ${step} steps${early}. Weights: ${weights}${from}`];
}

/** Prints lines to stdout, and a progress bar to stderr if stderr is a terminal. */
export class TrainReport {
  #bar: SingleBar | undefined;

  report(event: AnyTrainEvent): void {
    if (event.kind === 'start') this.#start(event);
    for (const line of linesOf(event)) this.#above(() => console.log(line));
    if (event.kind === 'notice') this.#above(() => console.error(`note: ${event.message}`));
    if (event.kind === 'step') {
      this.#bar?.update(event.step, {
        loss: event.total.toFixed(3),
        rate: event.imagesPerSecond.toFixed(2),
        left: duration(event.secondsLeft),
      });
    }
    if (event.kind === 'stop') this.close();
  }

  close(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #start({ step, steps }: EventOf<'start'>): void {
    this.close();
    if (!process.stderr.isTTY) return;
    this.#bar = progressBar('{bar} {value}/{total} | loss {loss} | {rate} images/s | {left} left');
    this.#bar.start(steps, step - 1, { loss: '-', rate: '-', left: '-' });
  }

  /** Clears the bar's line, prints, and draws the bar again below. */
  #above(print: () => void): void {
    if (this.#bar) process.stderr.write('\r\x1b[2K');
    print();
    this.#bar?.render();
  }
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts.map((part) => String(part).padStart(2, '0'));
  return hours === '00' ? `${minutes}:${rest}` : `${hours}:${minutes}:${rest}`;
}
