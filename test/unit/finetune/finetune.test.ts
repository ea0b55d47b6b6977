import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { Dataset } from '../../../lib/data/dataset.js';
import { cellSizes } from '../../../lib/data/diameters.js';
import { openDataset } from '../../../lib/data/open.js';
import { type Context, type Decided, splitHeldOut } from '../../../lib/finetune/context.js';
import type { FinetuneEvent } from '../../../lib/finetune/events.js';
import { finetune } from '../../../lib/finetune/finetune.js';
import { checkFinetune, type FinetuneOptions } from '../../../lib/finetune/options.js';
import { train } from '../../../lib/finetune/train.js';
import { startsFor, tryStart } from '../../../lib/finetune/try-starts.js';
import type { RawImage } from '../../../lib/image/types.js';
import { CellClassifier } from '../../../lib/inference/classifier.js';
import { RoutedEnsemble } from '../../../lib/inference/ensemble.js';
import { RUN_FILES } from '../../../lib/inference/model-path.js';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { evaluate } from '../../../lib/metrics.js';
import { addToEnsemble, createEnsemble, describeEnsemble } from '../../../lib/train.js';
import { SegmenterTrainer } from '../../../lib/trainer/segmenter-trainer.js';
import { rejection, root } from '../../support/sdk.js';
import { syntheticData, tinySegmenter } from '../../support/synthetic.js';
import { runFolders } from '../../support/training.js';

const folder = runFolders();
let data: Dataset;
/** Weights of a network that was trained for a few steps, and knows the size of its cells. */
let start: string;
beforeAll(async () => {
  data = await openDataset(await syntheticData(folder('data'), 10));
  const run = folder('start');
  const { diameter } = (await cellSizes(data.items))!;
  const network = { ...tinySegmenter, trainedOn: { diameter: 1.5 * diameter } };
  const config = { network, steps: 4, batchSize: 2, logs: { tensorboard: false } };
  for await (const _ of new SegmenterTrainer({ data, folder: run, config }).run());
  start = join(run, 'segmenter.safetensors');
});

const options = (name: string, more: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  out: folder(name),
  start,
  steps: 4,
  device: 'cpu',
  precision: 'float32',
  ...more,
});

/** An image of stripes. */
const stripes = (width: number): RawImage => ({
  data: Uint8Array.from({ length: 64 * 64 }, (_, i) => ((i % 64) % (2 * width) < width ? 60 : 190)),
  width: 64,
  height: 64,
  channels: 1,
});

/** A whole call, which more than one test reads: made by the first of them. */
let whole: ReturnType<typeof makeWhole> | undefined;
async function makeWhole() {
  const events: FinetuneEvent[] = [];
  const { out, ...rest } = options('model', { cellType: 'disc', onEvent: (event) => events.push(event) });
  return { out, rest, events, summary: await finetune(data, { out, ...rest }) };
}
const wholeCall = () => (whole ??= makeWhole());

test('ends with a model that segments, and a summary that says how it came about', async () => {
  const { out, rest, events, summary } = await wholeCall();
  const kinds = events.map((event) => (event.kind === 'training' ? event.event.kind : event.kind));
  // Evaluated before the first step, and after the training.
  const held = kinds.flatMap((kind, i) => (kind === 'held-out' ? [i] : []));
  expect(held).toHaveLength(3);
  expect(held[1]!).toBeLessThan(kinds.indexOf('step'));
  expect(held[2]!).toBeGreaterThan(kinds.lastIndexOf('step'));
  expect(kinds.filter((kind) => kind === 'validation').length).toBeGreaterThan(1);
  expect(kinds.at(-1)).toBe('finished');

  expect(summary).toMatchObject({
    folder: out,
    metric: 'kaggle',
    images: { train: 8, heldOut: 2 },
    start: { name: start },
    training: { steps: 4, planned: 4, precision: 'float32', device: 'cpu' },
  });
  expect(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(summary)),
  );
  // The start was trained on cells one and a half times as large; these are not quite the same images.
  expect(summary.start.scale).toBeGreaterThan(1.3);
  expect(summary.start.scale).toBeLessThan(1.8);
  const { scores } = summary;
  expect(scores.result.score).toBe(Math.max(scores.start.score, scores.scaled.score, scores.trained.score));
  const { width, height } = await sharp(join(out, 'before-after.png')).metadata();
  expect(Math.min(width, height)).toBeGreaterThan(64);

  await using ensemble = await RoutedEnsemble.load(out);
  expect(ensemble.cellTypes).toEqual(['disc']);
  const { resize, trainedOn } = ensemble.segmenters.disc!.config;
  if (summary.result === 'trained') {
    expect(resize?.scale).toBe(summary.start.scale);
    expect(trainedOn.diameter! / (summary.start.scale * summary.cells.diameter)).toBeCloseTo(1, 3);
  }
  const evaluated = [];
  for (const id of summary.heldOut) {
    const loaded = await data.items.find((item) => item.id === id)!.load();
    const { cells, cellType } = await ensemble.segment(loaded.image);
    expect(cellType).toBe('disc');
    evaluated.push({ id, groundTruth: loaded.masks, predicted: cells.masks, scores: cells.scores });
  }
  // At the thresholds of the folder; the score in the summary is that of cross-validated ones.
  const { kaggle } = await evaluate(evaluated);
  expect(Math.abs(kaggle.mean - scores.result.score)).toBeLessThan(0.3);

  // Other types are added to it, and it to the starter, without its images.
  expect((await describeEnsemble(out)).types).toMatchObject([{ type: 'disc', images: 8 }]);
  const waves = [3, 4, 5].map(stripes);
  await addToEnsemble(out, { type: 'waves', images: waves, segmenter: null, out: folder('two types') });
  await addToEnsemble(undefined, { type: 'disc', segmenter: out, out: folder('with the starter') });
  // An ensemble of this type alone keeps what is needed for that.
  await createEnsemble(folder('created'), { types: { disc: { segmenter: out } } });
  await addToEnsemble(folder('created'), { type: 'waves', images: waves, segmenter: null });
  for (const path of ['two types', 'with the starter', 'created'].map(folder)) {
    await using router = await CellClassifier.load(path);
    for (const { load } of data.items)
      expect((await router.classify((await load()).image)).cellType).toBe('disc');
  }
  await using router = await CellClassifier.load(folder('two types'));
  expect((await router.classify(stripes(6))).cellType).toBe('waves');

  // Again in the same folder: refused, or with resume the same summary.
  expect((await rejection(finetune(data, { out, ...rest }))).code).toBe('RESUME_REFUSED');
  expect(await finetune(data, { out, ...rest, resume: true })).toEqual(JSON.parse(JSON.stringify(summary)));
});

test('a damaged state or summary does not resume a call', async () => {
  const out = folder('damaged');
  mkdirSync(out);
  const [first] = data.items;
  const state = {
    format: 'cellroute-finetune-state',
    version: 1,
    options: { metric: 'f1', cellType: 'disc', seed: 0 },
    decided: { heldOut: [first!.id], tried: [], start: { path: start }, sizes: {} },
    planned: { plan: {}, speed: { secondsPerStep: 1 } },
    trainingSeconds: null,
  };
  const expectRefusal = async (file: string, text: string) => {
    writeFileSync(join(out, file), text);
    const error = await rejection(finetune(data, { out, resume: true }));
    expect(error).toMatchObject({ code: 'RESUME_REFUSED', details: { file: join(out, file) } });
  };
  await expectRefusal(RUN_FILES.finetune, '{"format":"cellroute-finetune-st');
  await expectRefusal(RUN_FILES.finetune, 'null');
  for (const part of ['options', 'decided', 'planned', 'trainingSeconds']) {
    await expectRefusal(RUN_FILES.finetune, JSON.stringify({ ...state, [part]: {} }));
  }
  writeFileSync(join(out, RUN_FILES.finetune), JSON.stringify(state));
  await expectRefusal('summary.json', '');
});

test('an interrupted call is continued and ends with the same weights', async () => {
  const weights = (out: string) => readFileSync(join(out, 'run', 'segmenter.safetensors'));
  const { out } = await wholeCall();
  const stop = new AbortController();
  const interrupted = options('interrupted', {
    cellType: 'disc',
    signal: stop.signal,
    onEvent: (event) => {
      if (event.kind === 'training' && event.event.kind === 'step' && event.event.step === 2) stop.abort();
    },
  });
  const error = await rejection(finetune(data, interrupted));
  expect(error).toBe(stop.signal.reason);
  expect(existsSync(join(interrupted.out, 'summary.json'))).toBe(false);
  const summary = await finetune(data, { out: interrupted.out, resume: true });
  expect(summary.training).toMatchObject({ steps: 4 });
  expect(weights(interrupted.out).equals(weights(out))).toBe(true);
});

test('an async listener that fails stops the call', async () => {
  const mistake = new Error('in the listener');
  const failing = options('listener', {
    onEvent: async () => {
      throw mistake;
    },
  });
  expect(await rejection(finetune(data, failing))).toBe(mistake);
});

test('a training that cannot be in time ends with fewer steps', async () => {
  const sizes = (await cellSizes(data.items))!;
  const context = (name: string): Context => ({
    options: checkFinetune(data, options(name)),
    parts: splitHeldOut(data, 1),
    call: {},
    emit: () => {},
    seconds: () => performance.now() / 1000,
  });
  const decided: Decided = {
    start: { name: 'start', path: start, thresholds: {}, scale: 1.5, ap50: 0, kaggle: 0 },
    tried: [],
    sizes,
    pixelSize: null,
    precision: 'float32',
    device: 'cpu',
    heldOut: [],
  };
  const speed = { secondsPerStep: 0.1, secondsPerEvaluation: 0.1 };
  const late = context('late');
  const plan = { steps: 300, everySteps: 300 };
  const few = await train(late, decided, { plan, speed }, late.seconds(), 0);
  expect(few.steps).toBeLessThan(50);
  expect(few.steps).toBe(few.planned);
  await using segmenter = await CellSegmenter.load(few.weights);
  expect(segmenter.config.resize?.scale).toBe(1.5);
});

test('each starter segmenter is tried at the scale of the cells', async () => {
  const starts = await startsFor('auto');
  expect(starts.map(({ name }) => name)).toEqual(['fluorescence', 'histology', 'phase-contrast']);
  const nuclei = (await openDataset(join(root, 'test/data/nuclei'), { cellTypeColumn: ['modality'] })).filter(
    {
      where: ({ width }) => width === 256,
    },
  );
  const items = nuclei.items.slice(0, 1);
  const sizes = (await cellSizes(items))!;
  const tried = [];
  for (const one of starts) tried.push(await tryStart(one, items, sizes, { device: 'cpu' }));
  const best = tried.reduce((a, b) => (b.ap50 > a.ap50 ? b : a));
  expect(best.name).toBe('fluorescence');
  expect(best.ap50).toBeGreaterThan(0.5);
});

test.each([
  ['no options', {}, 'out', 'Expected a non-empty string for out'],
  ['an unknown option', { minute: 5 }, 'minute', 'did you mean minutes'],
  ['steps and minutes', { minutes: 5 }, 'steps', 'Expected steps or minutes for steps'],
  ['too little time', { steps: undefined, minutes: 0 }, 'minutes', 'from 0.5 to 10000 for minutes'],
  [
    'a start that is nothing',
    { start: 'brightfield' },
    'start',
    'auto, fluorescence, histology, phase-contrast',
  ],
])('%s is refused by name', async (title, more, option, message) => {
  const given = title === 'no options' ? {} : { ...options('refused'), ...more };
  const error = await rejection(finetune(data, given as FinetuneOptions));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
  expect(error.message).toContain(message);
});

test('one image, and images without cells, are refused', async () => {
  const one = data.filter({ ids: [data.items[0]!.id] });
  expect((await rejection(finetune(one, options('one')))).message).toContain(
    'a split with images on both sides',
  );
  const empty = new Dataset(
    data.items.map((item) => ({ ...item, cells: 0, areas: new Uint32Array(0), load: () => item.load() })),
  );
  expect((await rejection(finetune(empty, options('empty')))).message).toContain('annotated cells');
});
