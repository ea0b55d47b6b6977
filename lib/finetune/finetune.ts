import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SignalOptions } from '../abort.js';
import type { Dataset } from '../data/dataset.js';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { withFolderLock } from '../folder-lock.js';
import { thresholdsAtScale } from '../inference/scale.js';
import { CellSegmenter } from '../inference/segmenter.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { withListener } from '../listener.js';
import { compareEvaluations, metricOf } from '../metrics/index.js';
import { exists, writeJson } from '../trainer/run-folder.js';
import { spread } from '../trainer/samples.js';
import { exceedsStandardError } from '../tune/standard-error.js';
import { writeAtomically } from '../weights/atomic.js';
import { type Assessment, assess, scoreOf } from './assess.js';
import {
  type Context,
  DEFAULT_THRESHOLDS,
  type Decided,
  FILES,
  fileOf,
  type Planned,
  splitHeldOut,
} from './context.js';
import { decide } from './decide.js';
import type { HeldOutEvent } from './events.js';
import { renderBeforeAfter } from './figure.js';
import { type CheckedOptions, checkFinetune, type FinetuneOptions } from './options.js';
import { planSteps } from './schedule.js';
import { writeSingleType } from './single-type.js';
import type { FinetuneSummary } from './summary.js';
import { type Trained, train } from './train.js';

/** With at least this AP at IoU 0.5 on the training images, the thresholds of a start fit these cells. */
const FITTING_AP50 = 0.3;
/** Share of the time budget that is reserved for variation of the speed. */
const MARGIN = 0.03;
const FIGURE_IMAGES = 3;
/** Seconds for drawing the figure and writing the files. */
const FILES_SECONDS = 5;

/** `finetune.json`. */
interface State {
  format: 'cellroute-finetune-state';
  version: 1;
  options: CheckedOptions;
  decided: Decided;
  planned: Planned;
  /** Time budget of the training in seconds; null if the number of steps is fixed. */
  trainingSeconds: number | null;
  source: Record<string, unknown> | null;
}

/**
 * Fine-tunes a segmenter on images with annotated cells and writes an ensemble that every command accepts as a model.
 *
 * The segmenters of the starter ensemble are evaluated on the training images. Training starts from the best one, at the
 * scale at which the cells have the same size as in the training of that segmenter. Some images are held out. On these, the
 * start is evaluated before the first step, the network is evaluated several times during the training, and thresholds are
 * chosen by cross-validation. On the held-out images the result is never worse than the start: if training does not help,
 * the folder contains the start. The number of steps is planned from the measured speed, so that the time budget is kept.
 *
 * The folder contains the ensemble, `summary.json`, `before-after.png` (ground truth beside predictions) and `run/`, the
 * folder of the training run. `resume: true` continues an interrupted call.
 *
 * ```ts
 * const { scores } = await finetune(await openDataset('my-images'), { out: 'my-model', minutes: 10 });
 * console.log(scores.start.score, scores.result.score);
 * const ensemble = await RoutedEnsemble.load('my-model');
 * ```
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and for data with fewer than two images or without cells;
 *   RESUME_REFUSED if the folder has another result, or nothing to resume; RUN_LOCKED, FILE_UNWRITABLE,
 *   TRAINING_DIVERGED, and the errors of loading images and weights; an abort rejects with `signal.reason`.
 */
export async function finetune(data: Dataset, options: FinetuneOptions): Promise<FinetuneSummary> {
  const checked = checkFinetune(data, options);
  const { signal } = options;
  signal?.throwIfAborted();
  return withListener(options.onEvent, signal, (emit, own) =>
    withFolderLock(checked.out, () => finetuneIn(data, options, checked, { emit, signal: own })),
  );
}

async function finetuneIn(
  data: Dataset,
  given: FinetuneOptions,
  checked: CheckedOptions,
  { emit, signal }: Pick<Context, 'emit'> & SignalOptions,
): Promise<FinetuneSummary> {
  const began = performance.now();
  const state = await readState(checked.out, given.resume ?? false);
  const options = state ? { ...state.options, out: checked.out } : checked;
  const context: Context = {
    options,
    parts: given.validation
      ? { train: data, validation: given.validation }
      : splitHeldOut(data, options.seed, state?.decided.heldOut),
    call: signal ? { signal } : {},
    emit,
    seconds: () => (performance.now() - began) / 1000,
  };
  const finished = state && (await stored<FinetuneSummary>(fileOf(context, 'summary')));
  if (finished) return finished;

  const { decided, secondsPerStep } = state
    ? { decided: state.decided, secondsPerStep: state.planned.speed.secondsPerStep }
    : await decide(context);
  const before = await assessStart(context, decided);
  const planned = state?.planned ?? planOf(context, secondsPerStep, before.seconds);
  const trainingSeconds = state ? state.trainingSeconds : secondsFor(context, before.seconds);
  if (!state) {
    await writeJson(fileOf(context, 'state'), {
      format: 'cellroute-finetune-state',
      version: 1,
      options,
      decided,
      planned,
      trainingSeconds,
      source: given.source ?? null,
    } satisfies State);
  }
  const deadline = trainingSeconds === null ? null : context.seconds() + trainingSeconds;
  const trained = await train(context, decided, planned, deadline);
  return conclude(context, decided, before, trained, state?.source ?? given.source ?? null);
}

async function readState(out: string, resume: boolean): Promise<State | undefined> {
  const file = join(out, FILES.state);
  const found = await stored<State>(file);
  const refuse = (message: string) =>
    new CellrouteError('RESUME_REFUSED', `${out} ${message}`, { file: out });
  if (!resume && found) {
    const isFinished = await exists(join(out, FILES.summary));
    throw refuse(
      isFinished
        ? 'already has a fine-tuned model: choose another folder'
        : 'has an interrupted fine-tuning: resume it, or choose another folder',
    );
  }
  if (!resume) return undefined;
  if (found?.format !== 'cellroute-finetune-state' || found.version !== 1) {
    throw refuse('has nothing to resume');
  }
  if (!isComplete(found)) throw damagedFile(file);
  return found;
}

/** Whether a state has what a resumed call uses of it. */
function isComplete({ options, decided, planned, trainingSeconds }: Partial<State>): boolean {
  return (
    typeof options?.metric === 'string' &&
    typeof options.cellType === 'string' &&
    typeof options.seed === 'number' &&
    Array.isArray(decided?.heldOut) &&
    Array.isArray(decided.tried) &&
    typeof decided.start?.path === 'string' &&
    typeof decided.sizes === 'object' &&
    typeof planned?.plan === 'object' &&
    typeof planned.speed?.secondsPerStep === 'number' &&
    (trainingSeconds === null || typeof trainingSeconds === 'number')
  );
}

/**
 * Parsed content of a JSON file that this program wrote; undefined if the file does not exist.
 *
 * @throws {CellrouteError} FILE_UNREADABLE, RESUME_REFUSED for a damaged file.
 */
async function stored<T extends { format: string }>(path: string): Promise<T | undefined> {
  if (!(await exists(path))) return undefined;
  const text = await readFile(path, 'utf8').catch(unreadable(path));
  try {
    const value = JSON.parse(text) as T;
    if (typeof value.format === 'string') return value;
  } catch {
    // Not JSON.
  }
  throw damagedFile(path);
}

const damagedFile = (file: string) =>
  new CellrouteError(
    'RESUME_REFUSED',
    `${file} is damaged: choose another folder, or delete this one to start again`,
    { file },
  );

/** Remaining seconds for the training including its evaluations; null if the number of steps is fixed. */
function secondsFor({ options, seconds }: Context, assessment: number): number | null {
  if (options.steps !== null) return null;
  const budget = 60 * options.minutes * (1 - MARGIN);
  // The evaluation of the trained network takes as long as that of the start.
  return Math.max(0, budget - seconds() - assessment - FILES_SECONDS);
}

function planOf(context: Context, secondsPerStep: number, assessment: number): Planned {
  const speed = { secondsPerStep, secondsPerEvaluation: assessment };
  const { steps } = context.options;
  const left = secondsFor(context, assessment);
  const plan =
    left === null
      ? { steps: steps!, everySteps: Math.max(1, Math.ceil(steps! / 4)) }
      : planSteps(left, speed);
  return { plan, speed };
}

interface Before {
  /** The unchanged start, with its own thresholds. */
  start: Assessment;
  /** The start at the scale of these cells. */
  scaled: Assessment;
  /** Initial values of the threshold search. */
  thresholds: SegmentThresholds;
  /** Duration of the evaluation at this scale in seconds. */
  seconds: number;
}

/** Evaluates the start on the held-out images. */
async function assessStart(context: Context, { start, sizes }: Decided): Promise<Before> {
  const { options, parts, call, emit, seconds } = context;
  const { metric } = options;
  const { items } = parts.validation;
  const of = async (model: HeldOutEvent['model'], segmenter: CellSegmenter, now: SegmentThresholds) => {
    const tune = model !== 'start';
    const assessment = await assess(segmenter, items, now, { metric, sizes, tune, ...call });
    emit({
      kind: 'held-out',
      model,
      metric,
      score: metricOf(assessment.evaluation, metric),
      images: items.length,
    });
    return assessment;
  };
  // The classes of the start are not those of this data. Only its boxes and masks are used.
  const own = await CellSegmenter.load(start.path, call);
  const unchanged = await of('start', own, start.thresholds).finally(() => own.dispose());
  const began = seconds();
  const scaledConfig = { config: scaledNetwork(start.scale) };
  const scaled = await CellSegmenter.load(start.path, { ...scaledConfig, ...call });
  // The thresholds of a start that fits were tuned for such cells.
  const factor = start.scale / (own.config.resize?.scale ?? 1);
  const thresholds =
    start.ap50 < FITTING_AP50
      ? DEFAULT_THRESHOLDS
      : { ...DEFAULT_THRESHOLDS, ...thresholdsAtScale(start.thresholds, factor) };
  const assessed = await of('scaled', scaled, thresholds).finally(() => scaled.dispose());
  return { start: unchanged, scaled: assessed, thresholds, seconds: seconds() - began };
}

const scaledNetwork = (scale: number) => ({ resize: { scale, maxSize: 1 << 16 } });

async function conclude(
  context: Context,
  decided: Decided,
  before: Before,
  trained: Trained,
  source: Record<string, unknown> | null,
): Promise<FinetuneSummary> {
  const { options, parts, call, emit, seconds } = context;
  const { metric, cellType, out } = options;
  const { start, sizes } = decided;
  const items = parts.validation.items;
  const network = await CellSegmenter.load(trained.weights, call);
  const rules = { metric, sizes, tune: true, ...call };
  const after = await assess(network, items, before.thresholds, rules).finally(() => network.dispose());
  const score = (assessment: Assessment) => metricOf(assessment.evaluation, metric);
  emit({ kind: 'held-out', model: 'trained', metric, score: score(after), images: items.length });

  const candidates = { start: before.start, scaled: before.scaled, trained: after };
  // In the order of their changes: one with more changes wins only if its gain is not chance.
  const result = (['start', 'scaled', 'trained'] as const).reduce((best, name) =>
    exceedsStandardError(candidates[name].scores, candidates[best].scores) ? name : best,
  );
  const chosen = candidates[result];
  await writeSingleType(
    out,
    {
      cellType,
      weights: result === 'trained' ? trained.weights : start.path,
      ...(result === 'scaled' && { config: scaledNetwork(start.scale) }),
      thresholds: chosen.thresholds,
      images: parts.train.items,
    },
    call.signal,
  );
  await drawFigure(context, before.start, chosen, result);
  const { difference, interval } = compareEvaluations(before.start.evaluation, chosen.evaluation);
  const summary: FinetuneSummary = {
    format: 'cellroute-finetune',
    version: 1,
    folder: out,
    result,
    metric,
    scores: {
      start: scoreOf(before.start, metric),
      scaled: scoreOf(before.scaled, metric),
      trained: scoreOf(after, metric),
      result: scoreOf(chosen, metric),
    },
    difference: { difference, interval },
    images: { train: parts.train.items.length, heldOut: items.length },
    heldOut: decided.heldOut,
    cells: { train: sizes.cells, diameter: sizes.diameter },
    start: decided.tried.find(({ name }) => name === start.name)!,
    tried: decided.tried,
    scale: result === 'start' ? null : start.scale,
    thresholds: chosen.thresholds,
    training: {
      steps: trained.steps,
      planned: trained.planned,
      bestStep: trained.best?.step ?? null,
      reason: trained.reason,
      precision: decided.precision,
      device: decided.device,
      batchSize: trained.batchSize,
      learningRate: trained.learningRate,
    },
    seconds: seconds(),
    source,
  };
  await writeJson(fileOf(context, 'summary'), summary);
  emit({ kind: 'finished', summary });
  return summary;
}

/** Titles of the prediction of the model that was written. */
const FIGURE_TITLES: Record<FinetuneSummary['result'], string> = {
  start: 'after: the start, which is kept',
  scaled: 'after: the start at the scale of these cells',
  trained: 'after: fine-tuned',
};

async function drawFigure(
  context: Context,
  before: Assessment,
  after: Assessment,
  result: FinetuneSummary['result'],
): Promise<void> {
  const { parts, call } = context;
  const images = [];
  for (const item of spread(parts.validation.items, FIGURE_IMAGES)) {
    const { image, masks } = await item.load(call);
    images.push({
      id: item.id,
      image,
      groundTruth: masks,
      before: await before.cellsOf(item.id),
      after: await after.cellsOf(item.id),
    });
  }
  const names = { before: 'before: the start', after: FIGURE_TITLES[result] };
  const png = await renderBeforeAfter(images, names, call.signal);
  await writeAtomically(fileOf(context, 'figure'), [png]);
}
