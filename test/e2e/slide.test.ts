import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import sharp from 'sharp';
import { decodeImage, Masks, type ResultJson } from '../../lib/index.js';
import { cellroute } from '../support/cli.js';
import { listing } from '../support/data-folder.js';
import { copyTestEnsemble, root } from '../support/sdk.js';
import { scratchFolder, writeZarr } from '../support/slide.js';

const folder = scratchFolder();
const slide = join(folder, 'slide.tif');
const main = join(root, 'dist/cli/main.js');
const options = [
  '--model',
  copyTestEnsemble(join(folder, 'model')),
  '--cell-type',
  'fluorescence',
  '--tiles',
  '160,64',
];
const args = (out: string, ...more: string[]) => [
  ...['segment-slide', slide, '--out', join(folder, out), ...options, ...more],
];
/** Finished tiles in a folder. */
const tilesIn = (path: string) =>
  existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.cells')).length : 0;
/** Arguments of Node.js for the command line, which gets a signal while it writes a tile. */
const atTile = (count: number, signal: 'SIGKILL' | 'SIGTERM') => [
  ...[join(__dirname, 'programs/signal-while-writing.cjs'), '.cells', String(count), signal, main],
];
const resultOf = (out: string) =>
  JSON.parse(readFileSync(join(folder, out, 'slide.json'), 'utf8')) as ResultJson;

beforeAll(async () => {
  await sharp(join(root, 'examples/images/fluorescence-crowded.png'))
    .extract({ left: 100, top: 60, width: 352, height: 352 })
    .toColourspace('b-w')
    .tiff({ tile: true, tileWidth: 128, tileHeight: 128, pyramid: true, compression: 'deflate' })
    .toFile(slide);
});

test('a slide is segmented, killed in the middle, continued, and has the same result', async () => {
  const whole = await cellroute(...args('whole'));
  expect(whole).toMatchObject({ status: 0 });
  expect(whole.stdout).toMatch(/^slide\.tif: fluorescence \(0\.\d+\), \d+ cells in 9 tiles of level 0\n$/);
  expect(readdirSync(join(folder, 'whole')).filter((name) => !name.startsWith('.'))).toEqual(['slide.json']);
  expect(resultOf('whole').cells.length).toBeGreaterThan(60);

  const killed = spawn(process.execPath, [...atTile(3, 'SIGKILL'), ...args('killed')], { stdio: 'ignore' });
  expect(await once(killed, 'exit')).toEqual([null, 'SIGKILL']);
  const tiles = join(folder, 'killed/slide.tiles');
  expect(tilesIn(tiles)).toBe(2);
  const other = await cellroute(...args('killed', '--min-score', '0.7'));
  expect(other.status).toBe(1);
  expect(other.stderr).toMatch(/other options.*\[RESUME_REFUSED\]/);
  const resumed = await cellroute(...args('killed'));
  expect(resumed).toMatchObject({ status: 0 });
  expect(resumed.stdout).toContain('2 of an earlier run');
  expect(resultOf('killed').cells).toEqual(resultOf('whole').cells);
  expect(existsSync(tiles)).toBe(false);
});

test('an OME-Zarr image has the cells of the TIFF file', async () => {
  const { source: _, ...image } = await decodeImage(readFileSync(slide));
  const zarr = join(folder, 'slide.zarr');
  writeZarr(zarr, [image], { chunk: 128 });
  const written = await cellroute(
    ...args('whole', '--force').map((arg) => (arg === slide ? zarr : arg)),
    ...['--formats', 'json,geojson,measurements', '--output-pixel-size', '0.5'],
    ...['--out', join(folder, 'zarr')],
  );
  expect(written).toMatchObject({ status: 0 });
  expect(resultOf('zarr').cells).toEqual(resultOf('whole').cells);
  const { features } = JSON.parse(readFileSync(join(folder, 'zarr/slide.geojson'), 'utf8')) as {
    features: unknown[];
  };
  const [row] = parse(readFileSync(join(folder, 'zarr/slide.measurements.csv'), 'utf8'), {
    columns: true,
  }) as Record<string, string>[];
  const [cell] = resultOf('zarr').cells as [ResultJson['cells'][number]];
  const inside = Masks.fromCoco([String(cell.mask)], { width: image.width, height: image.height }).decode();
  const sum = inside.reduce((total, own, i) => total + own * image.data[i]!, 0);
  expect(Number(row!.intensity_mean)).toBeCloseTo(sum / cell.area, 6);
  expect(Number(row!.area_um2)).toBe(cell.area / 4);
  // A mask without pixels has no outline.
  expect(features).toHaveLength(resultOf('zarr').cells.filter(({ area }) => area > 0).length);
});

test('segment takes slides beside images', async () => {
  const zarr = join(folder, 'image.zarr');
  const { source: _, ...pixels } = await decodeImage(readFileSync(slide));
  writeZarr(zarr, [pixels], { chunk: 128 });
  const png = join(folder, 'image.png');
  await sharp(slide).png().toFile(png);
  const out = join(folder, 'mixed');
  const written = await cellroute('segment', slide, png, zarr, '--out', out, ...options);
  expect(written).toMatchObject({ status: 0, stderr: '' });
  expect(written.stdout).toMatch(
    /^image\.png: .*\nslide\.tif: .* 9 tiles of level 0\nimage\.zarr: .* 9 tiles of level 0\n$/,
  );
  expect(listing(out)).toEqual([
    ...['coco.json', 'image.png.json', 'image.png.labels.png', 'image.png.overlay.png'],
    ...['image.zarr.json', 'kaggle.csv', 'slide.json'],
  ]);
  expect(resultOf('mixed').cells).toEqual(resultOf('whole').cells);
  const { images, annotations } = JSON.parse(readFileSync(join(out, 'coco.json'), 'utf8')) as {
    images: { id: number; file_name: string }[];
    annotations: { image_id: number }[];
  };
  expect(images.map(({ file_name }) => file_name)).toEqual(['image.png', 'slide.tif', 'image.zarr']);
  const count = (id: number) => annotations.filter(({ image_id }) => image_id === id).length;
  expect([count(2), count(3)]).toEqual(Array(2).fill(resultOf('whole').cells.length));

  const asked = await cellroute(
    'segment',
    slide,
    '--out',
    join(folder, 'asked'),
    ...options,
    '-f',
    'json,overlay',
  );
  expect(asked.stderr).toBe('overlay: not written for slides, because it needs all pixels in memory\n');
  expect(listing(join(folder, 'asked'))).toEqual(['slide.json']);
  const one = await cellroute('segment', slide, '--out', join(folder, 'one'), ...options, '--tiles', 'off');
  expect(one.stdout).toMatch(/^slide\.tif: fluorescence \(0\.\d+\), \d+ cells\n$/);
});

test('segment stops at SIGTERM in the middle of a slide, and continues', async () => {
  const out = join(folder, 'stopped');
  const segment = ['segment', slide, '--out', out, ...options];
  const child = spawn(process.execPath, [...atTile(3, 'SIGTERM'), ...segment], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  expect((await once(child, 'close'))[0]).toBe(143);
  expect(stderr).toContain('Stopped: 0 of 1 images are finished');
  const before = tilesIn(join(out, 'slide.tiles'));
  expect(before).toBeGreaterThanOrEqual(2);
  expect(before).toBeLessThan(9);
  expect(listing(out).filter((name) => !name.startsWith('slide.tiles'))).toEqual(['coco.json', 'kaggle.csv']);
  const again = await cellroute('segment', slide, '--out', out, ...options);
  expect(again.stdout).toContain(`${before} of an earlier run`);
  expect(resultOf('stopped').cells).toEqual(resultOf('whole').cells);
});

test('what cannot be opened is reported, and the others are segmented', async () => {
  const missing = join(folder, 'missing.tif');
  const { status, stdout, stderr } = await cellroute(...args('some'), missing);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^slide\.tif: /);
  expect(stderr).toMatch(/1 of 2 images failed:\n.*missing\.tif.*\[FILE_UNREADABLE\]/);
});
