import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CellClassifier, CellSegmenter, findModel, RoutedEnsemble } from '../../lib/index.js';
import { starterFolder } from '../../lib/inference/ensemble-file.js';
import { Dataset, openDataset, tuneEnsemble } from '../../lib/train.js';
import { RunFolder } from '../../lib/trainer/run-folder.js';
import { imageBytes, rejection, root, testEnsemble } from '../support/sdk.js';

const temporary = mkdtempSync(join(tmpdir(), 'cellroute-model-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const weights = {
  segmenter: join(testEnsemble, 'fluorescence.safetensors'),
  classifier: join(testEnsemble, 'classifier.safetensors'),
};

function folder(name: string, files: Record<string, object>): string {
  const path = join(temporary, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files))
    writeFileSync(join(path, file), JSON.stringify(content));
  return path;
}

/** The folder of a finished run. */
function run(network: 'segmenter' | 'classifier', config: object = {}): string {
  const path = folder(`run ${network} ${Object.keys(config).join()}`, {
    'config.json': { kind: `${network}-training`, ...config },
  });
  copyFileSync(weights[network], RunFolder.at(path).weights(network));
  return path;
}

const thresholds = { minScore: 0.97, removeOverlaps: { maxLost: 0.1 } };
const segmenterRun = () => run('segmenter', { validation: { thresholds } });

describe('an ensemble is loaded from', () => {
  let alone: CellSegmenter;
  beforeAll(async () => {
    alone = await CellSegmenter.load(weights.segmenter);
  });
  afterAll(() => alone.dispose());

  test('a segmenter file, as the one type cells', async () => {
    expect(await findModel(weights.segmenter)).toEqual({ kind: 'file', file: weights.segmenter });
    await using ensemble = await RoutedEnsemble.load(weights.segmenter);
    const { cellType, probabilities, segmenter, cells } = await ensemble.segment(imageBytes('small'));
    expect({ cellType, probabilities, segmenter }).toEqual({
      cellType: 'cells',
      probabilities: { cells: 1 },
      segmenter: 'cells',
    });
    const { cells: expected } = await alone.segment(imageBytes('small'));
    expect(cells.length).toBeGreaterThan(0);
    expect(cells.masks.toCoco()).toEqual(expected.masks.toCoco());
    expect(cells.scores).toEqual(expected.scores);
  });

  test("the folder of a segmenter's run, with the thresholds that it was validated with", async () => {
    const path = segmenterRun();
    expect(await findModel(path)).toEqual({
      kind: 'run',
      network: 'segmenter',
      file: join(path, 'segmenter.safetensors'),
      thresholds,
    });
    await using ensemble = await RoutedEnsemble.load(path);
    expect(ensemble.thresholds).toEqual({ cells: thresholds });
    const { cells } = await ensemble.segment(imageBytes('small'));
    const { cells: expected } = await alone.segment(imageBytes('small'), thresholds);
    expect(cells.masks.toCoco()).toEqual(expected.masks.toCoco());
    const { cells: all } = await alone.segment(imageBytes('small'));
    expect(cells.length).toBeLessThan(all.length);
  });

  test('the folder of a training of all networks', async () => {
    const path = folder('all', { 'config.json': {} });
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    await ensemble.save(join(path, 'ensemble'));
    expect(await findModel(path)).toEqual({ kind: 'ensemble', folder: join(path, 'ensemble') });
    await using again = await RoutedEnsemble.load(path);
    expect(again.cellTypes).toEqual(ensemble.cellTypes);
  });

  test('a saved segmenter is a complete ensemble', async () => {
    await using ensemble = await RoutedEnsemble.load(weights.segmenter);
    const path = join(temporary, 'saved');
    await ensemble.save(path);
    await using again = await RoutedEnsemble.load(path);
    expect(again.cellTypes).toEqual(['cells']);
  });
});

test('a segmenter alone is tuned on images of every type', async () => {
  const data = await openDataset(join(root, 'test/data/nuclei'), { cellTypeColumn: ['modality'] });
  const [item] = data.filter({ cellTypes: ['fluorescence'] }).items;
  await using ensemble = await RoutedEnsemble.load(weights.segmenter);
  const grid = {
    minScore: [0.5, 0.9],
    maskThreshold: [0.5],
    nmsThreshold: [0.5],
    minArea: [0],
    maxLost: [null],
  };
  const tuned = await tuneEnsemble(ensemble, new Dataset([item!]), { grid });
  expect(Object.keys(tuned)).toEqual(['cells']);
});

describe('networks are loaded from folders', () => {
  test('a segmenter from its run and from an ensemble with one segmenter', async () => {
    for (const path of [segmenterRun(), testEnsemble]) {
      await using segmenter = await CellSegmenter.load(path);
      expect(segmenter.config.classNames).toEqual(['nucleus']);
    }
  });

  test('a classifier from its run and from an ensemble', async () => {
    for (const path of [run('classifier'), testEnsemble]) {
      await using classifier = await CellClassifier.load(path);
      expect(classifier.config.classNames).toEqual(['fluorescence', 'histology', 'phase-contrast']);
    }
  });

  test('of an ensemble with several segmenters one has to be named', async () => {
    const error = await rejection(CellSegmenter.load(starterFolder));
    expect(error.code).toBe('ENSEMBLE_INVALID');
    expect(error.message).toMatch(/ensemble of 3 .*segmenter-histology\.safetensors for histology/);
  });
});

describe('refused, with what was found and what was expected:', () => {
  test.each([
    ['the run of a classifier as an ensemble', () => RoutedEnsemble.load(run('classifier'))],
    ['the run of a classifier as a segmenter', () => CellSegmenter.load(run('classifier'))],
    ['the run of a segmenter as a classifier', () => CellClassifier.load(segmenterRun())],
    ['the file of a classifier as an ensemble', () => RoutedEnsemble.load(weights.classifier)],
  ])('%s', async (_, load) => {
    const error = await rejection(load());
    expect(error.code).toBe('WEIGHTS_MISMATCH');
    expect(error.details).toMatchObject({ expected: expect.any(String), got: expect.any(String) });
  });

  test.each([
    ['nothing', () => join(temporary, 'nowhere'), /no such file/],
    ['an empty folder', () => folder('empty', {}), /expected an ensemble \(ensemble\.json\).*it is empty/],
    [
      'a folder of other files',
      () =>
        folder('others', Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, {}]))),
      /it contains a, b, c, d, e and 2 more/,
    ],
    [
      'an unfinished run',
      () => {
        const path = folder('unfinished', { 'config.json': { kind: 'segmenter-training' } });
        folder('unfinished/checkpoints', { 'best-120.safetensors': {}, 'last.safetensors': {} });
        return path;
      },
      /cellroute train segmenter --resume .*checkpoints.best-120\.safetensors/,
    ],
    [
      'an unfinished training of all networks',
      () => folder('unfinished all', { 'config.json': { segmenter: {} } }),
      /cellroute train ensemble --resume/,
    ],
    [
      'an unfinished fine-tuning',
      () => folder('unfinished fine-tuning', { 'finetune.json': {} }),
      /cellroute finetune --resume/,
    ],
    [
      'a run with thresholds out of range',
      () => run('segmenter', { validation: { thresholds: { minScore: 7 } }, bad: true }),
      /config\.json: .*validation\.thresholds\.minScore/,
    ],
  ])('%s', async (_, path, message) => {
    const error = await rejection(findModel(path()));
    expect(error.code).toBe('FILE_UNREADABLE');
    expect(error.message).toMatch(message);
  });
});
