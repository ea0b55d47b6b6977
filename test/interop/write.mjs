// Writes every format of one result, and what readers have to find in it.
//   node test/interop/write.mjs FOLDER [CELLS]
//   CELLS   writes an outline file with this number of cells instead
import assert from 'node:assert/strict';
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import cellroute from '../../dist/index.js';

const { boxArray, Cells, Masks, measure, RESULT_FORMATS, writeOmeZarr } = cellroute;
const [folder, count] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const square = (x, y, side) => [x, y, x + side, y, x + side, y + side, x, y + side];

function labelsOf(width, height, draw) {
  const labels = new Uint32Array(width * height);
  draw((label, x, y, w, h) => {
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) labels[row * width + column] = label;
    }
  });
  return { labels, width, height };
}

/** Holes, parts, one pixel, parts and holes that touch at corners, a diagonal, the border, and a full column. */
const shapes = labelsOf(90, 70, (fill) => {
  fill(1, 5, 5, 20, 15);
  fill(0, 9, 9, 3, 3);
  fill(0, 15, 8, 4, 4);
  fill(2, 9, 9, 1, 1);
  fill(3, 40, 5, 4, 4);
  fill(3, 50, 20, 6, 2);
  fill(4, 60, 40, 3, 3);
  fill(4, 63, 43, 3, 3);
  fill(5, 5, 40, 12, 12);
  fill(0, 7, 42, 3, 3);
  fill(0, 10, 45, 3, 3);
  for (let i = 0; i < 9; i++) fill(6, 30 + i, 40 + i, 1, 1);
  fill(7, 0, 60, 4, 10);
  fill(8, 89, 0, 1, 70);
  fill(9, 70, 10, 9, 7);
  fill(0, 70, 10, 1, 1);
  // A hole within a hole's island.
  fill(10, 20, 56, 11, 11);
  fill(0, 22, 58, 7, 7);
  fill(10, 24, 60, 3, 3);
  fill(0, 25, 61, 1, 1);
});

/** Positions that 16 bits do not hold. */
const wide = labelsOf(70_200, 40, (fill) => {
  fill(1, 10, 10, 5, 5);
  fill(2, 40_000, 5, 9, 9);
  fill(3, 70_070, 12, 13, 11);
  fill(0, 70_075, 15, 2, 2);
});

/** Several chunks, tiles and levels. */
const large = labelsOf(1300, 1100, (fill) => {
  for (let label = 1; label <= 900; label++) {
    fill(
      label,
      4 + ((label * 37) % 32) * 40,
      3 + Math.floor((label - 1) / 32) * 37,
      5 + (label % 23),
      4 + (label % 19),
    );
  }
});

/** More cells than 16 bits can number. */
const dense = { labels: Uint32Array.from({ length: 280 * 250 }, (_, i) => i + 1), width: 280, height: 250 };

function resultOf({ labels, width, height }, name, more = {}) {
  const { masks, ids } = Masks.fromLabels(labels, { width, height });
  // The order of the result is that of the labels, and cell k is label k.
  if (ids.some((id, i) => id !== i + 1)) throw new Error('the labels of a case are 1, 2, 3, …');
  const cells = new Cells({
    boxes: boxArray(Float32Array.from(masks.boxes())),
    scores: Float32Array.from(ids, (id) => 1 - id / 1e6),
    labels: new Int32Array(masks.length).fill(1),
    areas: masks.areas(),
    masks,
  });
  const limitsReached = { detections: false, proposals: false };
  const routed = {
    cellType: 'astro',
    segmenter: 'astro',
    probabilities: { astro: 0.75, 'neural "b"': 0.25 },
  };
  return { name, width, height, cells, limitsReached, scale: 1, ...routed, ...more };
}

const source = {
  format: 'TIFF',
  page: 4,
  pages: [0, 1, 2, 3, 4, 5],
  z: 1,
  t: 2,
  channels: [0],
  sizes: { channels: 1, z: 2, t: 3 },
  pixelSize: 0.325,
  notices: ['one & two'],
};

async function writeAll(result, image, labels, formats) {
  const { name } = result;
  const context = { name: `${name}.tif`, ...(image && { image }) };
  for (const word of formats) {
    const { scope, extension, write } = RESULT_FORMATS[word];
    const path = join(folder, scope === 'run' ? `${name}.${word}${extension}` : `${name}${extension}`);
    const content =
      scope === 'run' ? write([{ name: `${name}.tif`, stem: name, result }], {}) : write(result, context);
    await pipeline(content, createWriteStream(path));
  }
  writeFileSync(join(folder, `${name}.u32`), Buffer.from(labels.buffer));
}

function intensities(width, height) {
  const data = Uint16Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 65_521);
  return { data, width, height, channels: 3 };
}

if (count) {
  const side = Math.ceil(Math.sqrt(Number(count)));
  const polygons = Array.from({ length: Number(count) }, (_, i) => {
    const [x, y] = [(i % side) * 20, Math.floor(i / side) * 20];
    // Every third has two parts that touch at a corner.
    return i % 3 === 0 ? [square(x, y, 6), square(x + 6, y + 6, 5)] : [square(x, y, 3 + (i % 13))];
  });
  const masks = Masks.fromPolygons(polygons, { width: side * 20, height: side * 20 });
  const result = {
    name: 'many',
    scale: 1,
    width: masks.width,
    height: masks.height,
    limitsReached: { detections: false, proposals: false },
    cells: new Cells({
      boxes: boxArray(Float32Array.from(masks.boxes())),
      scores: new Float32Array(masks.length).fill(1),
      labels: new Int32Array(masks.length).fill(1),
      areas: masks.areas(),
      masks,
    }),
  };
  const areas = masks.areas();
  for (const word of ['geojson', 'imagej']) {
    const { extension, write } = RESULT_FORMATS[word];
    await pipeline(write(result, { name: 'many.tif' }), createWriteStream(join(folder, `many${extension}`)));
  }
  writeFileSync(join(folder, 'many.areas.txt'), areas.join('\n'));
} else {
  const every = Object.keys(RESULT_FORMATS);
  await writeAll(resultOf(shapes, 'shapes', { source }), intensities(90, 70), shapes.labels, every);
  await writeAll(resultOf(wide, 'wide'), undefined, wide.labels, ['geojson', 'imagej', 'label-tiff']);
  await writeAll(resultOf(dense, 'dense'), undefined, dense.labels, ['label-tiff', 'ome-tiff', 'ome-zarr']);
  const result = resultOf(large, 'large', { source });
  await writeAll(result, undefined, large.labels, [
    'label-tiff',
    'ome-tiff',
    'cellpose',
    'ome-zarr',
    'measurements',
  ]);
  await writeOmeZarr(result, join(folder, 'large.ome.zarr'));
  // Neither an older folder nor half of a new one.
  await assert.rejects(writeOmeZarr(result, join(folder, 'large.ome.zarr')), { code: 'FILE_UNWRITABLE' });
  const half = writeOmeZarr(result, join(folder, 'half.ome.zarr'), {
    signal: AbortSignal.abort(new Error('enough')),
  });
  await assert.rejects(half, /enough/);
  assert.equal(existsSync(join(folder, 'half.ome.zarr')), false);
  const { omeTiff } = cellroute;
  await pipeline(omeTiff(result, { tiles: true }), createWriteStream(join(folder, 'large.tiles.ome.tif')));
  const { shapes: measured } = await measure(result);
  if (measured.area.length !== 900) throw new Error('not every cell is measured');
}
