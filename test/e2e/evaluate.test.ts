import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Evaluation } from '../../lib/metrics/index.js';
import { cellroute } from '../support/cli.js';
import { describeGolden, goldenJson } from '../support/golden.js';
import { root } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (...args: string[]) => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 100_000,
  });
  return { status, signal, stdout, stderr };
};

test('a worker terminated during evaluation does not affect the process', async () => {
  const { status, signal, stdout, stderr } = node(
    join(__dirname, 'programs/terminate-evaluate.cjs'),
    join(root, 'dist/index.js'),
  );
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ statuses: [1, 1, 1], aji: 1 });
});

test('a model and its results in JSON have the same scores', async () => {
  const data = join(root, 'test/data/nuclei');
  const model = ['--model', join(root, 'test/ensemble/fluorescence.safetensors')];
  const results = join(folder, 'results');
  await cellroute('segment', join(data, 'images'), ...model, '--formats', 'json', '--out', results);
  const scores = async (...args: string[]) => {
    const { stdout } = await cellroute('evaluate', '--ground-truth', data, ...args, '--json');
    const { kaggle, coco, cocoBoxes } = JSON.parse(stdout) as Evaluation;
    return [kaggle.mean, coco.ap, cocoBoxes.ap].map((score) => score!.toFixed(9));
  };
  expect(await scores(...model)).toEqual(await scores('--pred', results));
  const evaluate = (...args: string[]) => cellroute('evaluate', '--ground-truth', data, ...args);
  const unserved = await evaluate('--model', join(root, 'test/ensemble'));
  expect(unserved.stderr).toMatch(
    /^cellroute: 3b07[\da-f]+: The image was classified as histology .*\[NO_SEGMENTER\]/,
  );
  const { status, stderr } = await evaluate(...model, '--where', 'split=none');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^cellroute: No image of the data set has split=none \(--where\): its columns are /);
});

describeGolden('cellroute evaluate', { goldens: ['metrics.json'] }, () => {
  const golden = goldenJson<{
    coco_truth: object;
    coco_detections: object[];
    coco: Record<string, { AP: number }>;
    kaggle: { score: number; images: object[] };
  }>('metrics.json');
  const groundTruth = join(folder, 'ground-truth.json');
  const pred = join(folder, 'pred.json');
  beforeAll(async () => {
    writeFileSync(groundTruth, JSON.stringify(golden.coco_truth));
    writeFileSync(pred, JSON.stringify(golden.coco_detections));
  });
  const evaluate = (...args: string[]) =>
    cellroute('evaluate', '--ground-truth', groundTruth, '--pred', pred, ...args);

  test('prints tables with the applied rules', async () => {
    const { status, stdout } = await evaluate('--min-score', '0.5', '--images', '--bootstrap', '50');
    expect(status).toBe(0);
    expect(stdout).toMatch(/score at least 0\.5, each pixel assigned to the highest-scored prediction/);
    expect(stdout).toMatch(/all predictions/);
    const line = (name: string) =>
      stdout
        .split('\n')
        .find((one) => one.trim().startsWith(name))!
        .trim()
        .split(/ {2,}/);
    expect(line('Kaggle')[1]).toBe(golden.kaggle.score.toFixed(3));
    expect(line('AP, IoU')[1]).toBe(golden.coco.segm_maxDets1000!.AP.toFixed(3));
    expect(line('AP, IoU')[2]).toMatch(/^0\.\d{3} to 0\.\d{3}$/);
    expect(stdout).toMatch(/By image\n/);
  });

  test('prints JSON with all results, and draws the plot', async () => {
    const plot = join(folder, 'curve.png');
    const { status, stdout } = await evaluate(
      '--json',
      '--max-dets',
      '100',
      '--keep-overlaps',
      '--plot',
      plot,
    );
    expect(status).toBe(0);
    const evaluation = JSON.parse(stdout) as Evaluation;
    expect(evaluation.rules).toEqual({ minScore: null, removeOverlaps: false, iou: 0.5, maxDets: 100 });
    expect(evaluation.coco.ap!).toBeCloseTo(golden.coco.segm_maxDets100!.AP, 9);
    expect(evaluation.perImage).toHaveLength(golden.kaggle.images.length);
    await expect(sharp(readFileSync(plot)).metadata()).resolves.toMatchObject({ format: 'png', width: 960 });
  });

  test('refuses invalid options in one line', async () => {
    expect(await evaluate('--keep-overlaps', '--remove-overlaps', '0.5')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^cellroute: Options --remove-overlaps and --keep-overlaps cannot.*\[INVALID_ARGUMENT\]\n$/,
      ),
    });
    expect(
      await cellroute('evaluate', '--ground-truth', groundTruth, '--pred', join(folder, 'none')),
    ).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[FILE_UNREADABLE\]\n$/),
    });
    expect(await evaluate('--where', 'plate')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/column=value/),
    });
  });
});
