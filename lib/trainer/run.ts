import { basename } from 'node:path';
import { random } from '../data/random.js';
import type { Batch } from '../data/types.js';
import type { FolderLock } from '../folder-lock.js';
import { copyAtomically } from '../weights/atomic.js';
import { type TrainingState, writeCheckpoint } from './checkpoint.js';
import type { Training } from './config.js';
import { diverged, divergenceOf, remember } from './divergence.js';
import type { StepEvent, StopEvent, TrainEvent, ValidationEvent } from './events.js';
import { lineOf } from './log.js';
import type { StartReport } from './network.js';
import { batchesOf, Pace, type Position, type RunLength } from './progress.js';
import type { Records } from './records.js';
import { exists, type RunFolder, writeJson } from './run-folder.js';
import { ratesAt } from './schedule.js';
import type { Batches, TrainableNetwork, TrainingTypes, Validate } from './task.js';

/** The events of a run. */
type EventOf<T extends TrainingTypes> = TrainEvent<T['loss'], T['evaluation']>;

/** The parts of a run. */
export interface RunParts<T extends TrainingTypes> {
  folder: RunFolder;
  lock: Pick<FolderLock, 'verify'>;
  config: Training;
  length: RunLength;
  network: TrainableNetwork<T>;
  loader: Batches<T['sample']>;
  /** null without validation images. */
  validate: Validate<T> | null;
  /** File of the final weights. */
  weights: string;
  state: Omit<TrainingState, 'position'>;
  position: Position;
  resumed: boolean;
  report?: StartReport | undefined;
  /** Notices to report at the start. */
  notices: string[];
  records: Records;
}

/**
 * A training run from a position, event by event.
 *
 * Between two actions the position, the network and the log are consistent; each action changes all three. Checkpoints
 * are written only between actions, so a resumed run repeats exactly what followed the checkpoint.
 */
export class TrainingRun<T extends TrainingTypes> {
  readonly #parts: RunParts<T>;
  readonly #pace = new Pace();
  #position: Position;
  /** Position in the last checkpoint. */
  #saved: Position | undefined;
  #savedAt = performance.now();

  constructor(parts: RunParts<T>) {
    this.#parts = parts;
    this.#position = parts.position;
    if (parts.resumed) this.#saved = parts.position;
  }

  /** Runs to the end. An abort, or a consumer that leaves the loop, writes a checkpoint of the last step. */
  async *run(signal?: AbortSignal): AsyncGenerator<EventOf<T>, void, undefined> {
    let failed = false;
    try {
      yield* this.#train(signal);
    } catch (error) {
      failed = !isAbort(error, signal);
      if (failed) throw error;
      yield* this.#checkpoint();
      yield* this.#notices(await this.#parts.records.conclude());
      yield this.#stop('aborted');
    } finally {
      if (!failed && this.#saved !== this.#position) await this.#save();
    }
  }

  async *#train(signal?: AbortSignal): AsyncGenerator<EventOf<T>, void, undefined> {
    const { length, loader } = this.#parts;
    yield* this.#begin();
    // From here on the run can be resumed after any failure.
    if (!this.#saved) yield* this.#checkpoint();
    let batches: AsyncGenerator<Batch<T['sample']>> | undefined;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { epoch, batch, step, closed } = this.#position;
        const ended = batch === batchesOf(length, epoch);
        if (ended && !closed) {
          await batches?.return(undefined);
          batches = undefined;
          yield* this.#closeEpoch();
        } else if (this.#validationIsDue()) {
          yield* this.#validate(signal);
        } else if (step >= length.steps || this.#outOfPatience()) {
          break;
        } else if (closed) {
          await this.#openEpoch();
          if (!this.#epochIsKept()) continue;
          yield* this.#checkpoint();
          yield* this.#notices(await this.#parts.records.draw());
        } else if (this.#checkpointIsDue()) {
          yield* this.#checkpoint();
        } else {
          batches ??= loader.batches(epoch, batch, signal);
          yield* this.#step(batches, signal);
        }
      }
    } finally {
      await batches?.return(undefined);
    }
    yield* this.#finish(signal);
  }

  async *#begin(): AsyncGenerator<EventOf<T>, void, undefined> {
    const { folder, resumed, length, report, notices } = this.#parts;
    const { epoch, step } = this.#position;
    yield {
      kind: 'start',
      epoch: Math.min(epoch + 1, length.epochs),
      step: Math.min(step + 1, length.steps),
      folder: folder.path,
      resumed,
      ...length,
      report,
    };
    yield* this.#notices(notices);
  }

  async *#step(
    batches: AsyncGenerator<Batch<T['sample']>>,
    signal?: AbortSignal,
  ): AsyncGenerator<EventOf<T>, void, undefined> {
    const { config, length, network, folder } = this.#parts;
    const before = this.#position;
    const began = performance.now();
    const next = await batches.next();
    if (next.done) throw new Error(`The loader ended after ${before.batch} steps of an epoch`);
    const { samples, ids, notices } = next.value;
    yield* this.#notices(notices);
    const rates = ratesAt(config.schedule, config.optimizer, before.step, length.steps);
    const result = await network.step(
      samples,
      { ...rates, maxGradNorm: config.clipNorm, seed: random(config.seed, 'step', before.step).seed() },
      { signal },
    );
    const seconds = (performance.now() - began) / 1000;
    this.#pace.add(samples.length, seconds);

    const total = Object.values(result.losses).reduce((sum, loss) => sum + loss, 0);
    const step = before.step + 1;
    const trouble = divergenceOf(result, total, before.recent, config.divergence);
    if (trouble) {
      throw diverged(trouble, step, ids, (await exists(folder.last)) ? folder.last : undefined);
    }
    const event: StepEvent<T['loss']> = {
      kind: 'step',
      epoch: before.epoch + 1,
      step,
      batch: before.batch + 1,
      batches: batchesOf(length, before.epoch),
      steps: length.steps,
      epochs: length.epochs,
      losses: result.losses as Record<T['loss'], number>,
      total,
      ...rates,
      gradNorm: result.gradNorm,
      imagesPerSecond: this.#pace.imagesPerSecond,
      secondsLeft: (length.steps - step) * this.#pace.secondsPerStep,
      images: ids,
    };
    const sums = Object.entries(result.losses).map(([name, loss]) => [name, (before.sums[name] ?? 0) + loss]);
    await this.#move(
      {
        batch: before.batch + 1,
        step,
        sums: Object.fromEntries(sums) as Record<string, number>,
        summed: before.summed + 1,
        epochSeconds: before.epochSeconds + seconds,
        seconds: before.seconds + seconds,
        recent: remember(before.recent, total, config.divergence),
      },
      event,
    );
    yield event;
  }

  async *#closeEpoch(): AsyncGenerator<EventOf<T>, void, undefined> {
    const { epoch, step, sums, summed, epochSeconds } = this.#position;
    const losses = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / summed]));
    const event = {
      kind: 'epoch',
      epoch: epoch + 1,
      step,
      epochs: this.#parts.length.epochs,
      losses: losses as Record<T['loss'], number>,
      total: Object.values(losses).reduce((sum, loss) => sum + loss, 0),
      seconds: epochSeconds,
    } as const;
    await this.#move({ closed: true }, event);
    yield event;
  }

  async #openEpoch(): Promise<void> {
    const { epoch } = this.#position;
    await this.#move({ epoch: epoch + 1, batch: 0, closed: false, sums: {}, summed: 0, epochSeconds: 0 });
  }

  #validationIsDue(): boolean {
    const { validate, config, length } = this.#parts;
    const { epoch, step, closed, validated } = this.#position;
    if (!validate || step === 0 || validated === step) return false;
    const { everyEpochs, everySteps } = config.validation;
    return (
      (closed && everyEpochs !== null && (epoch + 1) % everyEpochs === 0) ||
      (everySteps !== null && step % everySteps === 0) ||
      step === length.steps
    );
  }

  #outOfPatience(): boolean {
    const { patience } = this.#parts.config.validation;
    return patience !== null && this.#position.waited >= patience;
  }

  async *#validate(signal?: AbortSignal): AsyncGenerator<EventOf<T>, void, undefined> {
    const { validate, folder, records } = this.#parts;
    const began = performance.now();
    const { step, best: before, waited } = this.#position;
    const epoch = this.#position.epoch + 1;
    const snapshot = await this.#snapshot(signal);
    try {
      const { sheet, tie = 0, ...result } = await validate!(snapshot, signal);
      const { score } = result;
      const better =
        Number.isFinite(score) &&
        (before === null || score > before.score || (score === before.score && tie > before.tie));
      const best = better ? { score, tie, step, epoch, file: `best-${step}.safetensors` } : before;
      if (better) await snapshot.save(folder.best(best!.file));
      const event: ValidationEvent<T['evaluation']> = {
        kind: 'validation',
        epoch,
        step,
        ...result,
        best: better,
        seconds: (performance.now() - began) / 1000,
      };
      await this.#move({ validated: step, best, waited: better ? 0 : waited + 1 }, event);
      yield event;
      if (better) yield { kind: 'best', epoch, step, score, file: folder.best(best!.file) };
      if (sheet) yield* this.#notices(await records.sample(this.#sampleName(), sheet));
    } finally {
      await snapshot.dispose();
    }
  }

  /** Samples at the end of an epoch are named by the epoch, others by the step. */
  #sampleName(): string {
    const { closed, epoch, step } = this.#position;
    return closed ? `epoch-${String(epoch + 1).padStart(3, '0')}` : `step-${String(step).padStart(6, '0')}`;
  }

  async *#finish(signal?: AbortSignal): AsyncGenerator<EventOf<T>, void, undefined> {
    const { folder, weights, records } = this.#parts;
    const { best, step, seconds } = this.#position;
    if (best) {
      await copyAtomically(folder.best(best.file), weights);
    } else {
      const snapshot = await this.#snapshot(signal);
      try {
        await snapshot.save(weights);
      } finally {
        await snapshot.dispose();
      }
    }
    const reason = step >= this.#parts.length.steps ? 'finished' : 'early-stopping';
    yield* this.#checkpoint();
    // If the process is killed between the two writes, the checkpoint at the end of the run makes it end again.
    const event = { ...this.#stop(reason), weights };
    await records.write(lineOf(event)!);
    yield* this.#notices(await records.draw());
    yield* this.#notices(await records.conclude());
    await writeJson(folder.results, {
      reason,
      ...records.results(),
      best,
      step,
      seconds,
      weights: basename(weights),
    });
    yield event;
  }

  #snapshot(signal?: AbortSignal): Promise<T['snapshot']> {
    const { network, config } = this.#parts;
    return network.snapshot(config.average ? 'average' : 'current', { signal });
  }

  /** Ends an action: writes its log line and updates the position. */
  async #move(change: Partial<Position>, event?: EventOf<T>): Promise<void> {
    const { records } = this.#parts;
    const line = event && lineOf(event);
    if (line) await records.write(line);
    this.#position = { ...this.#position, ...change, logBytes: records.bytes };
  }

  async *#checkpoint(): AsyncGenerator<EventOf<T>, void, undefined> {
    if (this.#saved !== this.#position) await this.#save();
    const { epoch, step } = this.#position;
    yield { kind: 'checkpoint', epoch: epoch + 1, step, file: this.#parts.folder.last };
  }

  #epochIsKept(): boolean {
    const { everyEpochs } = this.#parts.config.checkpoint;
    return everyEpochs !== null && this.#position.epoch % everyEpochs === 0;
  }

  #checkpointIsDue(): boolean {
    const { everyMinutes } = this.#parts.config.checkpoint;
    return this.#saved !== this.#position && performance.now() - this.#savedAt >= everyMinutes * 60_000;
  }

  async #save(): Promise<void> {
    const { folder, lock, network, state, records } = this.#parts;
    const position = this.#position;
    await lock.verify();
    await records.sync();
    await writeCheckpoint(folder.last, network.tensors(), { ...state, position });
    this.#saved = position;
    this.#savedAt = performance.now();
    await folder.keepBest(position.best?.file);
  }

  #stop(reason: StopEvent['reason']): StopEvent {
    const { epoch, step, best } = this.#position;
    return {
      kind: 'stop',
      reason,
      epoch: epoch + 1,
      step,
      folder: this.#parts.folder.path,
      best: best ? { score: best.score, step: best.step, epoch: best.epoch } : undefined,
    };
  }

  *#notices(messages: readonly string[]): Generator<EventOf<T>, void, undefined> {
    const { epoch, step } = this.#position;
    for (const message of messages) yield { kind: 'notice', epoch: epoch + 1, step, message };
  }
}

/** Aborted calls reject with the reason of the signal; Node's own functions reject with an AbortError. */
const isAbort = (error: unknown, signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true &&
  (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));
