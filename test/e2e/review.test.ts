import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';
import { openDataset } from '../../lib/data/open.js';
import { Masks } from '../../lib/mask/masks.js';
import { cellrouteIn } from '../support/cli.js';
import { ask, routedResult, writeResult } from '../support/review.js';
import { root } from '../support/sdk.js';
import { syntheticData, tinySampling, tinySegmenter } from '../support/synthetic.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-review-'));
const path = (...names: string[]) => join(folder, ...names);
const main = join(root, 'dist/cli/main.js');
const running: ChildProcess[] = [];
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const cellroute = (...args: string[]) => cellrouteIn(folder, ...args);

/** Starts a review, and reads its address. */
async function review(...args: string[]) {
  const child = spawn(process.execPath, [main, 'review', 'results', '--out', 'corrected', ...args], {
    cwd: folder,
  });
  running.push(child);
  const lines: string[] = [];
  const errors: string[] = [];
  child.stderr.on('data', (text: Buffer) => errors.push(text.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const found = /at (http:\S+)$/.exec(line);
      if (found) resolve(found[1]!);
    });
    child.once('exit', () => reject(new Error(errors.join(''))));
  });
  return { child, url, lines };
}

const none = { removed: [], changed: [], added: [] };
const save = async (url: string, image: number, body: object) =>
  (await ask(url, `images/${image}`, { method: 'PUT', body })).json();

beforeAll(async () => {
  await syntheticData(path('data'), 6);
  const data = await openDataset(path('data'));
  for (const { id, load } of data.items) {
    const { masks } = await load();
    writeResult(path('results'), `${id}.png`, routedResult(masks, id.split('-')[0]!));
  }
});

test('a killed review is resumed, and ends with its counts at Ctrl-C', async () => {
  const first = await review('--images', 'data/images');
  expect(first.lines[0]).toMatch(/^6 images to review at http:\/\/127\.0\.0\.1:\d+\/[\w-]{24}\/$/);
  const outline = [2, 2, 12, 2, 12, 12, 2, 12];
  const edits = { removed: [0], changed: [], added: [{ id: 0, polygons: [outline] }] };
  expect(await save(first.url, 0, { revision: 0, reviewed: true, edits })).toEqual({ revision: 1 });
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = await review('--images', 'data/images');
  expect((await ask(second.url, 'images/0')).json()).toMatchObject({ revision: 1, reviewed: true, edits });
  for (let image = 1; image < 6; image++) {
    await save(second.url, image, { revision: 0, reviewed: image < 5, edits: { ...none, removed: [1] } });
  }
  second.child.kill('SIGINT');
  const [status] = await once(second.child, 'exit');
  expect(status).toBe(0);
  const cells = (await openDataset(path('corrected'))).items.reduce((sum, item) => sum + item.cells, 0);
  expect(second.lines.slice(2)).toEqual([
    '5 of 6 images reviewed. Cells: 5 removed, 0 changed, 1 added',
    'Changed but not marked as reviewed, and so not in corrected: square-05.png',
    `corrected: ${cells} cells in 5 images. Next: cellroute finetune corrected --out my-model`,
  ]);
});

test('evaluate and finetune accept the data set', async () => {
  const evaluated = await cellroute('evaluate', '--ground-truth', 'corrected', '--pred', 'results', '--json');
  expect(evaluated).toMatchObject({ status: 0 });
  expect((JSON.parse(evaluated.stdout) as { images: number }).images).toBe(5);

  writeFileSync(
    path('first.json'),
    JSON.stringify({
      network: tinySegmenter,
      steps: 3,
      sampling: tinySampling,
      logs: { tensorboard: false },
    }),
  );
  const start = await cellroute(
    'train',
    'segmenter',
    '--data',
    'data',
    '--config',
    'first.json',
    '--out',
    'start',
  );
  expect(start).toMatchObject({ status: 0 });
  const options = ['--steps', '3', '--start', 'start/segmenter.safetensors', '--device', 'cpu'];
  const finetuned = await cellroute('finetune', 'corrected', '--out', 'my-model', ...options);
  expect(finetuned).toMatchObject({ status: 0 });
  expect(finetuned.stdout).toMatch(/^3 images to train on with \d+ cells .*, 2 held out\n/);
  expect(existsSync(path('my-model', 'ensemble.json'))).toBe(true);
});

test('what segment writes can be reviewed', async () => {
  const examples = join(root, 'examples', 'images');
  const segmented = await cellroute(
    'segment',
    join(examples, 'fluorescence-small-crowded.png'),
    '--out',
    'segmented',
    '--formats',
    'json,coco,labels',
  );
  expect(segmented).toMatchObject({ status: 0 });
  for (const [i, source] of [
    'segmented',
    'segmented/coco.json',
    'segmented/fluorescence-small-crowded.json',
  ].entries()) {
    const child = spawn(
      process.execPath,
      [main, 'review', source, '--images', examples, '--out', `corrected-${i}`],
      { cwd: folder },
    );
    running.push(child);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const url = /at (http:\S+)$/.exec(line)![1]!;
    const { outlines } = (await ask(url, 'images/0')).json() as { outlines: string[] };
    expect(outlines.length).toBeGreaterThan(10);
    // The process may end before its answer is read.
    const exit = once(child, 'exit');
    await ask(url, 'finish', { method: 'POST', body: {} });
    expect(await exit).toEqual([0, null]);
  }
});

test('errors name what to do', async () => {
  const missing = await cellroute('review', 'results', '--out', 'elsewhere');
  expect(missing.status).toBe(1);
  expect(missing.stderr).toMatch(
    /no image can be reviewed: pass the folder of the images .*--images.*\[DATA_INVALID\]/s,
  );
  await sharp({ create: { width: 9, height: 9, channels: 3, background: '#101010' } })
    .png()
    .toFile(path('small.png'));
  writeResult(
    path('one'),
    'small.png',
    routedResult(Masks.encode(new Uint8Array(81).fill(1), { width: 9, height: 9 }), 'x'),
  );
  const refused = await cellroute('review', 'one', '--out', 'one');
  expect(refused.stderr).toMatch(/Expected another folder than that of the predictions for out/);
});
