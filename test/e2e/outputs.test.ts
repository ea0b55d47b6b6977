import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cellroute } from '../support/cli.js';
import { listing } from '../support/data-folder.js';
import { root, testEnsemble } from '../support/sdk.js';

const main = join(root, 'dist/cli/main.js');
const cases = join(root, 'test/data/cases/names');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-outputs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string, args: string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  expect(stderr).not.toMatch(/\n\s+at /);
  return { status, stdout, stderr };
};
/** All image types have one segmenter here. */
const segment = (...args: string[]) =>
  cellroute('segment', ...args, '-m', testEnsemble, '--cell-type', 'fluorescence', '--min-score', '0.3');
const copy = (from: string, ...to: string[]) => {
  const target = join(folder, ...to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(cases, from), target);
  return target;
};
const json = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

describe('names of results', () => {
  test('images with one name in two folders have different results, and each result format can be evaluated', async () => {
    copy('two-folders/a/well.png', 'wells', 'a', 'well.png');
    copy('two-folders/b/well.png', 'wells', 'b', 'well.png');
    const [a, b] = ['a', 'b'].map((name) => join(folder, 'wells', name, 'well.png')) as [string, string];
    const out = join(folder, 'two');
    const { status, stdout } = await segment(a, b, '-o', out);
    expect(status).toBe(0);
    expect(listing(out)).toEqual([
      ...['a', 'b'].flatMap((name) =>
        ['json', 'labels.png', 'overlay.png'].map((end) => `${name}/well.${end}`),
      ),
      'coco.json',
      'kaggle.csv',
    ]);
    expect(stdout).toMatch(/^a\/well\.png: .*\nb\/well\.png: /);
    expect(json('two', 'coco.json').images.map(({ file_name }: { file_name: string }) => file_name)).toEqual([
      'a/well.png',
      'b/well.png',
    ]);
    const ids = readFileSync(join(out, 'kaggle.csv'), 'utf8')
      .trim()
      .split('\n')
      .map((row) => row.split(',')[0]);
    expect([...new Set(ids)]).toEqual(['id', 'a/well', 'b/well']);

    const html = join(folder, 'two.html');
    const flags = ['-m', testEnsemble, '--cell-type', 'fluorescence'];
    expect((await cellroute('report', a, b, '-o', html, ...flags)).status).toBe(0);
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('a/well.png');
    expect(page).toContain('b/well.png');

    // Ground truth with the image names of a data set of these folders.
    const groundTruth = join(folder, 'two-ground-truths.json');
    copyFileSync(join(out, 'coco.json'), groundTruth);
    mkdirSync(join(folder, 'labels-only'));
    for (const name of ['a', 'b']) {
      mkdirSync(join(folder, 'labels-only', name));
      copyFileSync(join(out, name, 'well.labels.png'), join(folder, 'labels-only', name, 'well.labels.png'));
    }
    for (const pred of [out, join(out, 'coco.json'), join(out, 'kaggle.csv'), join(folder, 'labels-only')]) {
      const { status: code, stdout: text } = await cellroute(
        'evaluate',
        '--ground-truth',
        groundTruth,
        '--pred',
        pred,
        '--json',
      );
      expect(code).toBe(0);
      const { perImage, f1, groundTruths } = JSON.parse(text);
      expect(perImage.map(({ id }: { id: string }) => id)).toEqual(['a/well', 'b/well']);
      expect(groundTruths).toBeGreaterThan(0);
      // Label images lose overlaps, which evaluation removes from the others too.
      expect(f1.f1).toBe(1);
    }
  });

  test('images that differ only in their extension keep it', async () => {
    copy('reserved/other.png', 'endings', 'x.png');
    copy('reserved/coco.png', 'endings', 'x.PNG');
    const out = join(folder, 'endings-out');
    expect((await segment(join(folder, 'endings'), '-o', out, '-f', 'json')).status).toBe(0);
    expect(listing(out)).toEqual(['x.PNG.json', 'x.png-2.json']);
    expect(
      listing(out)
        .map((file) => json('endings-out', file).name)
        .sort(),
    ).toEqual(['x.PNG', 'x.png']);
  });

  test('images may have the names of the result files of a run', async () => {
    const out = join(folder, 'reserved');
    expect((await segment(join(cases, 'reserved'), '-o', out)).status).toBe(0);
    expect(listing(out)).toEqual(
      [
        ...['coco.png', 'other'].flatMap((name) => [
          `${name}.json`,
          `${name}.labels.png`,
          `${name}.overlay.png`,
        ]),
        'coco.json',
        'kaggle.csv',
      ].sort(),
    );
    expect(json('reserved', 'coco.json').images).toHaveLength(2);
    expect(json('reserved', 'coco.png.json')).toMatchObject({ format: 'cellroute-result', name: 'coco.png' });
  });
});

describe('input files', () => {
  test('hidden files and outputs in a folder are skipped, unless their path is given', async () => {
    const own = join(folder, 'inputs');
    copy('labels-name/x.png', 'inputs', 'x.png');
    copy('labels-name/x.labels.png', 'inputs', 'x.labels.png');
    writeFileSync(join(own, '._x.png'), 'not an image');
    const out = join(folder, 'inputs-out');
    const { status, stdout, stderr } = await segment(own, '-o', out, '-f', 'json');
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^x\.png: [^\n]*\n$/) });
    expect(stderr).toMatch(/1 files have names of cellroute outputs and are skipped \(x\.labels\.png\)/);
    const named = await segment(join(own, 'x.labels.png'), join(own, 'x.png'), '-o', out, '-f', 'labels');
    expect(named.status).toBe(0);
    expect(listing(out)).toEqual(['x.json', 'x.labels.labels.png', 'x.labels.png']);
  });

  test('results beside their images are not segmented again', async () => {
    copy('labels-name/x.png', 'again', 'x.png');
    const own = join(folder, 'again');
    for (let i = 0; i < 2; i++) {
      const { status, stdout } = await segment(own, '-o', own, '-f', 'labels,overlay');
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^x\.png: [^\n]*\n$/) });
      expect(listing(own)).toEqual(['x.labels.png', 'x.overlay.png', 'x.png']);
    }
  });
});

describe('files that cellroute did not write', () => {
  test('are overwritten only with --force', async () => {
    copy('labels-name/x.png', 'user', 'x.png');
    const users = copy('labels-name/x.labels.png', 'user', 'x.labels.png');
    const before = readFileSync(users);
    const args = [join(folder, 'user', 'x.png'), '-o', join(folder, 'user'), '-f', 'json,labels'];
    const refused = await segment(...args);
    expect(refused).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /x\.labels\.png exists and was not written by cellroute.*--force.*\[FILE_UNWRITABLE\]/,
      ),
    });
    expect(readFileSync(users)).toEqual(before);
    expect(existsSync(join(folder, 'user', 'x.json'))).toBe(false);
    expect((await segment(...args, '--force')).status).toBe(0);
    expect(readFileSync(users)).not.toEqual(before);
    // Now cellroute has written them; a changed one is protected again.
    expect((await segment(...args)).status).toBe(0);
    writeFileSync(join(folder, 'user', 'x.json'), '{}');
    expect(await segment(...args)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/x\.json exists/),
    });
  });

  test('are not overwritten by any command', async () => {
    const file = join(folder, 'mine.png');
    const image = join(cases, 'labels-name', 'x.png');
    const dataset = join(root, 'test/data/nuclei');
    const flags = ['-m', testEnsemble, '--cell-type', 'fluorescence'];
    const commands = [
      ['report', image, '-o', file.replace('.png', '.html'), ...flags],
      ['explain', image, '-o', file, '-m', testEnsemble, '--method', 'grad-cam'],
      ['evaluate', '--ground-truth', dataset, '--pred', join(dataset, 'labels'), '--plot', file],
      ['dataset', 'preview', dataset, '--out', file, '--rows', '1', '--samples', '1'],
      ['convert', join(testEnsemble, 'classifier.safetensors'), file.replace('.png', '.safetensors')],
    ];
    for (const command of commands) {
      for (const extension of ['.png', '.html', '.safetensors'])
        writeFileSync(file.replace('.png', extension), 'mine');
      expect(await cellroute(...command)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/not written by cellroute.*\[FILE_UNWRITABLE\]\n$/),
      });
      expect(readFileSync(file, 'utf8')).toBe('mine');
      // After --force the file was written by cellroute.
      expect((await cellroute(...command, '--force')).status).toBe(0);
      expect((await cellroute(...command)).status).toBe(0);
    }
  });
});

describe('folders that hold files of others', () => {
  const dataset = join(root, 'test/data/cases/labels/int32-stardist');
  const ensemble = join(folder, 'with-fallback');
  beforeAll(() => {
    cpSync(testEnsemble, ensemble, { recursive: true });
    const file = join(ensemble, 'ensemble.json');
    const description = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...description, fallback: 'fluorescence' }));
  });

  test.each(['ensemble.json', 'classifier.safetensors', 'segmenter-fluorescence.safetensors'])(
    'tune does not overwrite %s',
    async (name) => {
      const out = join(folder, `tuned-${name}`);
      mkdirSync(out);
      writeFileSync(join(out, name), 'mine');
      const command = ['tune', dataset, '--model', ensemble, '--out', out];
      expect(await cellroute(...command)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/not written by cellroute.*--force.*\[FILE_UNWRITABLE\]\n$/),
      });
      expect(readFileSync(join(out, name), 'utf8')).toBe('mine');
      expect(readdirSync(out)).toEqual([name]);
    },
  );

  test('tune overwrites what it wrote, and by force the rest', async () => {
    const out = join(folder, 'tuned');
    mkdirSync(out);
    writeFileSync(join(out, 'ensemble.json'), 'mine');
    const command = ['tune', dataset, '--model', ensemble, '--out', out];
    expect((await cellroute(...command, '--force')).status).toBe(0);
    expect((await cellroute(...command)).status).toBe(0);
  });

  test.each(['log.jsonl', 'data.json', 'results.json', 'loss.png', 'samples/x.png', 'checkpoints/x'])(
    'train does not overwrite %s',
    async (name) => {
      const out = join(folder, `run-${name.replace('/', '-')}`);
      mkdirSync(dirname(join(out, name)), { recursive: true });
      writeFileSync(join(out, name), '{}');
      expect(await cellroute('train', 'segmenter', '--data', dataset, '--out', out)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/a run would overwrite: choose another folder.*\[FILE_UNWRITABLE\]\n$/),
      });
      expect(readFileSync(join(out, name), 'utf8')).toBe('{}');
    },
  );
});

test.each([
  ['.png', ['dataset', 'preview', cases, '--out', 'sheet']],
  ['.png', ['evaluate', '--ground-truth', cases, '--pred', cases, '--plot', 'curve.jpg']],
  ['.html', ['report', cases, '--out', 'report.pdf']],
  ['.py', ['export-python', '--out', 'network']],
])('a file that does not end with %s is refused', async (extension, args) => {
  expect(await cellroute(...args)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`Expected a file name that ends with ${extension}`),
  });
});

describe('places where nothing can be written', () => {
  const image = join(cases, 'labels-name', 'x.png');

  test('a folder below a file', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    for (const args of [
      ['segment', image, '-o', join(file, 'out'), '-m', testEnsemble],
      ['report', image, '-o', join(file, 'out.html'), '-m', testEnsemble],
      ['explain', image, '-o', join(file, 'out'), '-m', testEnsemble],
      ['segment', image, '-o', '/proc/none', '-m', testEnsemble],
    ]) {
      expect(await cellroute(...args)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^cellroute: .*\[FILE_UNWRITABLE\]\n$/),
      });
    }
  });

  test('a full disk leaves no partial file', async () => {
    const out = join(folder, 'full');
    // A limit of the file size, 1 KiB, simulates a full disk.
    const command = `ulimit -f 1; exec "$0" "$@"`;
    const args = [main, 'segment', image, '-o', out, '-f', 'overlay', '-m', testEnsemble];
    const { status, stderr } = run('bash', [
      '-c',
      command,
      process.execPath,
      ...args,
      '--cell-type',
      'fluorescence',
    ]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/x\.overlay\.png.*\[FILE_UNWRITABLE\]\n$/);
    expect(listing(out)).toEqual([]);
  });
});
