import { Command } from 'commander';
import sharp from 'sharp';
import { withScale } from '../../lib/cli/scale.js';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import {
  CellSegmenter,
  decodeImage,
  type RawImage,
  RoutedEnsemble,
  resultJson,
  SCALE_RANGES,
  type ScaleOptions,
  type Segmentation,
  type CellSegmenter as Segmenter,
} from '../../lib/index.js';
import { ownFactor, resolveScale, SCALE_KEYS, scaleOptionsIn } from '../../lib/inference/scale.js';
import { image as files, imageBytes, rejection, testEnsemble, thrown } from '../support/sdk.js';

const weights = `${testEnsemble}/fluorescence.safetensors`;
/** What the test network was trained on, for these tests. */
const trainedOn = { diameter: 20, pixelSize: 0.5 };
const minScore = 0.6;

let segmenter: Segmenter;
let image: RawImage;
beforeAll(async () => {
  segmenter = await CellSegmenter.load(weights, { config: { trainedOn } });
  image = await decodeImage(imageBytes('small'));
});
afterAll(() => segmenter.dispose());

/** The same network with another resize: the slow way to another scale. */
async function resized(scale: number, options: object = {}): Promise<Segmentation> {
  const other = await CellSegmenter.load(weights, { config: { resize: { scale, maxSize: 65_536 } } });
  try {
    return await other.segment(image, { minScore, ...options });
  } finally {
    await other.dispose();
  }
}

const same = (a: Segmentation, b: Segmentation) => {
  expect(a.cells.length).toBeGreaterThan(10);
  expect(a.cells.boxes).toEqual(b.cells.boxes);
  expect(a.cells.scores).toEqual(b.cells.scores);
  expect(a.cells.masks.toCoco()).toEqual(b.cells.masks.toCoco());
};

test.each([0.8, 1.5])('scale %d gives the cells of a network with that resize', async (scale) => {
  const found = await segmenter.segment(image, { minScore, scale });
  same(found, await resized(scale));
  expect(found.scale).toBe(scale);
});

test('a scale applies to tiles', async () => {
  const tiles = { size: 128, overlap: 48 };
  const found = await segmenter.segment(image, { minScore, scale: 1.5, tiles });
  same(found, await resized(1.5, { tiles }));
  expect(found.seams?.x.length).toBeGreaterThan(0);
});

test('without an option, and at scale 1, the network resizes alone', async () => {
  const plain = await segmenter.segment(image, { minScore });
  expect(plain.scale).toBe(1);
  same(plain, await segmenter.segment(image, { minScore, scale: 1 }));
  same(plain, await segmenter.segment(image, { minScore, diameter: 20 }));
});

test('boxes and masks are in pixels of the image at any scale', async () => {
  const plain = (await segmenter.segment(image, { minScore: 0.9 })).cells;
  const { cells } = await segmenter.segment(image, { minScore, scale: 1.5 });
  expect([cells.masks.width, cells.masks.height]).toEqual([image.width, image.height]);
  const ious = plain.masks.iou(cells.masks);
  const matches = Array.from(plain, ({ index, box }) => {
    const row = Array.from(ious.subarray(index * cells.length, (index + 1) * cells.length));
    const best = row.indexOf(Math.max(...row));
    const other = cells.at(best)!.box;
    return row[best]! > 0.6 && Math.abs(box.x1 - other.x1) < 5 && Math.abs(box.y2 - other.y2) < 5;
  });
  expect(matches.length).toBeGreaterThan(10);
  expect(matches.filter(Boolean).length / matches.length).toBeGreaterThan(0.8);
});

test('a diameter and a pixel size give the scale at which cells are as large as in training', async () => {
  const atTwo = await segmenter.segment(image, { minScore, scale: 2 });
  for (const options of [{ diameter: 10 }, { pixelSize: 1 }] satisfies ScaleOptions[]) {
    const found = await segmenter.segment(image, { minScore, ...options });
    expect(found.scale).toBe(2);
    same(found, atTwo);
  }
});

test('a network that resizes by the shorter side has a scale relative to that', () => {
  const config = maskRCNNConfig({ trainedOn: { diameter: 40 } });
  const size = { width: 704, height: 520 };
  const own = Math.min(800 / 520, 1333 / 704);
  expect(ownFactor(config, size)).toBe(own);
  expect(resolveScale(config, size, { scale: 2 })).toEqual({ scale: 2, factor: 2 * own });
  expect(resolveScale(config, size, { diameter: 10 })).toEqual({ scale: 4 / own, factor: 4 });
  // In tiles it sees pixels as they are.
  expect(ownFactor(config, { width: 4000, height: 3000 })).toBe(1);
  expect(ownFactor(config, size, { size: 400 })).toBe(2);
});

test('the file’s pixel size is used on request', async () => {
  const { data, width, height } = image;
  const tiff = (xres: number) =>
    sharp(Buffer.from(data.buffer), { raw: { width, height, channels: image.channels } })
      .tiff({ xres, yres: xres, resolutionUnit: 'cm' })
      .toBuffer();
  // 1000 pixels per millimetre.
  const found = await segmenter.segment(await tiff(1000), { minScore, pixelSize: 'file' });
  expect(found.source?.pixelSize).toBeCloseTo(1, 6);
  expect(found.scale).toBeCloseTo(2, 6);
  // 72 dpi says nothing of cells.
  const { message } = await rejection(segmenter.segment(await tiff(2.8346), { pixelSize: 'file' }));
  expect(message).toBe(
    `Expected a number: the image's file states no pixel size for pixelSize but received "file" (string)`,
  );
  expect((await segmenter.segment(files.small, { minScore })).source?.pixelSize).toBeUndefined();
});

test.each([
  [{ scale: 2, diameter: 10 }, 'diameter', 'Options scale and diameter cannot be combined'],
  [{ diameter: 10, pixelSize: 1 }, 'pixelSize', 'Options diameter and pixelSize cannot be combined'],
  [{ scale: 0 }, 'scale', 'Expected a number from 0.05 to 20 for scale but received 0'],
  [{ scale: Number.NaN }, 'scale', 'Expected a number from 0.05 to 20 for scale'],
  [{ scale: 'automatic' }, 'scale', "Expected one of 'auto' for scale"],
  [{ diameter: 0.5 }, 'diameter', 'Expected a number from 1 to 10000 for diameter'],
  [{ pixelSize: 'meta' }, 'pixelSize', "Expected one of 'file' for pixelSize"],
  [{ pixelSize: 0 }, 'pixelSize', 'Expected a number from 0.001 to 1000 for pixelSize'],
  [{ diameter: 2000 }, 'diameter', 'diameter 2000 needs a scale of 0.0100, and the range is 0.05 to 20'],
])('%p is refused by name', async (options, option, message) => {
  const error = await rejection(segmenter.segment(image, options as ScaleOptions));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
  expect(error.message).toContain(message);
});

test('a diameter needs a model that knows its own', async () => {
  const config = maskRCNNConfig();
  expect(config.trainedOn).toEqual({ diameter: null, pixelSize: null });
  for (const option of ['diameter', 'pixelSize'] as const) {
    const error = thrown(() => resolveScale(config, image, { [option]: 10 }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
    expect(error.message).toContain(`this one has none: use`);
  }
});

test('the minimum area of a model follows the scale, one that is passed does not', async () => {
  const ensemble = await RoutedEnsemble.load(testEnsemble);
  try {
    const cellType = ensemble.cellTypes.find((type) => ensemble.segmenters[type])!;
    const smallest = async (minArea: number | undefined, scale: number) => {
      const { cells } = await ensemble.segment(image, {
        cellType,
        minScore,
        scale,
        ...(minArea !== undefined && { minArea }),
      });
      return Math.min(...cells.areas);
    };
    ensemble.setThresholds({ [cellType]: { minArea: 200 } });
    expect(await smallest(undefined, 1)).toBeGreaterThanOrEqual(200);
    const scaled = await smallest(undefined, 2);
    expect(scaled).toBeGreaterThanOrEqual(50);
    expect(scaled).toBeLessThan(200);
    expect(await smallest(200, 2)).toBeGreaterThanOrEqual(200);
  } finally {
    await ensemble.dispose();
  }
});

test('the scale is in the JSON of a result', async () => {
  const found = await segmenter.segment(image, { minScore, scale: 1.25 });
  expect(JSON.parse(resultJson(found))).toMatchObject({ scale: 1.25 });
});

test('every option has a flag of the same range', () => {
  const command = withScale(new Command().exitOverride());
  const parse = (...words: string[]) => {
    for (const key of SCALE_KEYS) command.setOptionValue(key, undefined);
    command.configureOutput({ writeErr: () => {} }).parse(words, { from: 'user' });
    return scaleOptionsIn(command.opts());
  };
  expect(parse()).toEqual({});
  for (const [name, { min, max }] of Object.entries(SCALE_RANGES)) {
    const flag = `--${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`;
    expect(parse(flag, String(min))).toEqual({ [name]: min });
    expect(parse(flag, String(max))).toEqual({ [name]: max });
    expect(() => parse(flag, String(max + 1))).toThrow();
  }
  expect(parse('--scale', 'auto')).toEqual({ scale: 'auto' });
  expect(parse('--pixel-size', 'file')).toEqual({ pixelSize: 'file' });
});
