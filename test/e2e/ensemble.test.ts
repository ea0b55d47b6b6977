import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DescribedEnsemble } from '../../lib/ensembles/describe.js';
import { cellroute } from '../support/cli.js';
import { listing } from '../support/data-folder.js';
import { image, root, testEnsemble } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-ensemble-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]) => join(folder, ...names);

const succeeds = async (...args: string[]): Promise<string> => {
  const { status, stdout, stderr } = await cellroute(...args);
  if (status !== 0) throw new Error(`cellroute ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
};

const weights = join(testEnsemble, 'fluorescence.safetensors');
const [nuclei, tissue] = ['fluorescence-large', 'histology'].map((name) =>
  join(root, 'examples/images', `${name}.png`),
) as [string, string];

beforeAll(() => {
  mkdirSync(at('run'));
  copyFileSync(weights, at('run', 'segmenter.safetensors'));
  const thresholds = { minScore: 0.8 };
  writeFileSync(
    at('run', 'config.json'),
    JSON.stringify({ kind: 'segmenter-training', validation: { thresholds } }),
  );
  mkdirSync(at('router run'));
  copyFileSync(join(testEnsemble, 'classifier.safetensors'), at('router run', 'classifier.safetensors'));
  writeFileSync(at('router run', 'config.json'), JSON.stringify({ kind: 'classifier-training' }));
  for (const [type, path] of [
    ['nuclei', nuclei],
    ['tissue', tissue],
  ] as const) {
    mkdirSync(at('classes', type), { recursive: true });
    copyFileSync(path, at('classes', type, 'a.png'));
  }
  mkdirSync(at('cellpose'));
  copyFileSync(image.small, at('cellpose', 'a.png'));
  copyFileSync(image.small.replace('images', 'labels'), at('cellpose', 'a_masks.png'));
});

describe.each([
  ['a segmenter file', weights],
  ['the folder of a run', at('run')],
])('%s is a model for', (name, model) => {
  const out = (file: string) => at(`${file} ${name}`);

  test('segment and report', async () => {
    expect(
      await succeeds('segment', image.small, '--model', model, '-o', out('results'), '-f', 'json'),
    ).toMatch(/\.png: \d+ cells/);
    const [file] = listing(out('results'));
    const result = JSON.parse(readFileSync(join(out('results'), file!), 'utf8')) as { cellType: string };
    expect(result.cellType).toBe('cells');
    await succeeds('report', image.small, '--model', model, '-o', `${out('report')}.html`);
  });

  test('evaluate and tune, on masks as Cellpose names them', async () => {
    const evaluation = JSON.parse(
      await succeeds('evaluate', '--ground-truth', at('cellpose'), '--model', model, '--json'),
    ) as { images: number; kaggle: { mean: number } };
    expect(evaluation.images).toBe(1);
    expect(evaluation.kaggle.mean).toBeGreaterThan(0.3);
    expect(await succeeds('tune', at('cellpose'), '--model', model, '--out', out('tuned'))).toMatch(
      /cells +1 +0\.\d+/,
    );
    await succeeds('segment', image.small, '--model', out('tuned'), '-o', out('again'), '-f', 'json');
  });
});

test('the folder of a run of a router is a model for classify and explain', async () => {
  expect(await succeeds('classify', nuclei, '--model', at('router run'))).toMatch(/: fluorescence/);
  await succeeds('explain', nuclei, '--model', at('router run'), '--method', 'grad-cam', '-o', at('map.png'));
  const { status, stderr } = await cellroute(
    'segment',
    nuclei,
    '--model',
    at('router run'),
    '-o',
    at('none'),
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/Expected an ensemble or a segmenter at .* but found the run of a classifier/);
});

test('class folders are refused where cells are needed', async () => {
  const { status, stderr } = await cellroute('evaluate', '--ground-truth', at('classes'), '--model', weights);
  expect(status).toBe(1);
  expect(stderr).toMatch(/images with annotated cells for --ground-truth .*train a classifier/);
});

test('an ensemble is created, extended, renamed, listed and reduced', async () => {
  const model = at('made');
  const made = await succeeds(
    ...['ensemble', 'create', '--out', model, '--data', at('classes')],
    ...['--type', `nuclei=${weights}`, '--type', 'tissue=none', '--fallback', 'nuclei'],
  );
  expect(made).toMatch(/2 types, fallback nuclei/);
  expect(await succeeds('segment', tissue, '--model', model, '-o', at('made results'), '-f', 'json')).toMatch(
    /: tissue/,
  );
  const phase = join(root, 'examples/images/phase-contrast.png');
  const added = await succeeds(
    ...['ensemble', 'add', 'cells', '--segmenter', at('run'), '--images', phase, '--model', model],
  );
  expect(added).toMatch(/cells +[\d.]+ MiB +1 +minScore 0\.8\n/);
  await succeeds('ensemble', 'rename', 'cells', 'living', '--model', model);
  expect(await succeeds('classify', phase, '--model', model)).toMatch(/: living/);
  expect(await succeeds('ensemble', 'remove', 'tissue', '--model', model, '--out', at('reduced'))).toMatch(
    /2 types/,
  );
  const { types, hasStatistics } = JSON.parse(
    await succeeds('ensemble', 'list', '--model', at('reduced'), '--json'),
  ) as DescribedEnsemble;
  expect(hasStatistics).toBe(true);
  expect(types.map(({ type, images }) => [type, images])).toEqual([
    ['nuclei', 1],
    ['living', 1],
  ]);
  expect(await succeeds('ensemble', 'list', '--model', model)).toMatch(/3 types/);
});

test.each([
  [
    'images of another type',
    ['create', '--out', at('x'), '--type', `nuclei=${weights}`, '--data', at('classes')],
    /images of nuclei alone for --data/,
  ],
  ['a type without a path', ['create', '--out', at('x'), '--type', 'nuclei'], /Expected TYPE=PATH/],
  ['the starter without --out', ['remove', 'histology'], /another folder than that of the starter/],
])('%s is refused', async (_, args, message) => {
  const { status, stderr } = await cellroute('ensemble', ...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});
