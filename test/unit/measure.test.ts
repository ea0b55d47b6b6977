import { parse } from 'csv-parse/sync';
import { quPathGeoJson } from '../../lib/export/geojson.js';
import { measurementsCsv } from '../../lib/export/measurements-csv.js';
import type { Slide, SlideWindow } from '../../lib/image/slide.js';
import type { ImageSource, RawImage } from '../../lib/image/types.js';
import { Masks } from '../../lib/mask/masks.js';
import { measure } from '../../lib/measure/measure.js';
import { resultOf } from '../support/result.js';

const size = { width: 12, height: 10 };
const box = (x: number, y: number, width: number, height: number) => [
  [x, y, x + width, y, x + width, y + height, x, y + height],
];
/** At the left border; beside it, sharing a corner; alone. */
const masks = Masks.fromPolygons([box(0, 1, 4, 3), box(4, 4, 2, 2), box(8, 6, 3, 2)], size);
const result = { ...resultOf(masks), name: 'well.tif' };

const grey = {
  data: Uint16Array.from({ length: 120 }, (_, i) => 100 + i),
  channels: 1 as const,
  ...size,
};

test('shapes and intensities of boxes', async () => {
  const { length, shapes, channels, pixelSize } = await measure(result, grey);
  expect(length).toBe(3);
  expect(pixelSize).toBeUndefined();
  expect([...shapes.area]).toEqual([12, 4, 6]);
  expect([...shapes.centroidX]).toEqual([1.5, 4.5, 9]);
  expect([...shapes.centroidY]).toEqual([2, 4.5, 6.5]);
  expect([...shapes.right]).toEqual([4, 6, 11]);
  expect([...shapes.touchesBorder]).toEqual([1, 0, 0]);
  expect([...shapes.neighbors]).toEqual([1, 1, 0]);
  expect([...shapes.solidity]).toEqual([1, 1, 1]);
  const [channel] = channels as [(typeof channels)[number]];
  expect(channels).toHaveLength(1);
  expect(channel.min[2]).toBe(100 + 6 * 12 + 8);
  expect(channel.max[2]).toBe(100 + 7 * 12 + 10);
  expect(channel.sum[2]).toBe(6 * (100 + 6.5 * 12 + 9));
  expect(channel.mean[2]).toBe(100 + 6.5 * 12 + 9);
});

test('channels of raw pixels are chosen by index, and alpha is ignored', async () => {
  const data = new Uint8Array(120 * 4).map((_, i) => [10, 20, 30, 255][i % 4]!);
  const rgba = { data, channels: 4 as const, ...size };
  const all = await measure(result, rgba);
  expect(all.channels.map(({ name, mean }) => [name, mean[0]])).toEqual([
    ['channel 1', 10],
    ['channel 2', 20],
    ['channel 3', 30],
  ]);
  const { channels } = await measure(result, rgba, { channels: [2, 0] });
  expect(channels.map(({ mean }) => mean[1])).toEqual([30, 10]);
});

test('the pixel size is that of the options, or of the file that was segmented', async () => {
  const source: ImageSource = {
    format: 'TIFF',
    page: 0,
    pages: [0],
    channels: [0],
    sizes: { channels: 1, z: 1, t: 1 },
    pixelSize: 0.5,
    notices: [],
  };
  const measured = await measure({ ...result, source });
  expect(measured.pixelSize).toBe(0.5);
  expect((await measure({ ...result, source }, undefined, { pixelSize: 2 })).pixelSize).toBe(2);
  const rows = parse(measurementsCsv(result, measured), { columns: true });
  expect(rows[0]).toMatchObject({ area: '12', area_um2: '3', 'bbox-3': '4', 'bbox-3_um': '2' });
});

test('an image of another size, bad channels and aborts are refused', async () => {
  const refused = (promise: Promise<unknown>, option: string) =>
    expect(promise).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
  await refused(measure(result, { ...grey, width: 10, height: 12 }), 'image');
  await refused(measure(result, grey, { channels: [1] }), 'channels');
  await refused(measure(result, grey, { channels: [] }), 'channels');
  await refused(measure(result, grey, { pixelSize: 0 }), 'pixelSize');
  await refused(measure({} as never), 'result.cells');
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(measure(result, grey, { signal })).rejects.toThrow('enough');
});

test('a slide is measured window by window, with the values of the whole image', async () => {
  const [width, height] = [2300, 2100];
  const raw: RawImage = {
    data: Uint16Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 65_521),
    width,
    height,
    channels: 3,
  };
  // In one window, over the borders of two and of four, and nowhere.
  const found = resultOf(
    Masks.fromPolygons(
      [box(10, 10, 30, 20), box(2040, 100, 20, 9), box(2030, 2030, 60, 50), [[0, 0, 0, 0, 0, 0]]],
      { width, height },
    ),
  );
  const windows: SlideWindow[] = [];
  const slide: Slide = {
    width: 2 * width,
    height: 2 * height,
    levels: [
      { width: 2 * width, height: 2 * height, downsample: 1 },
      { width, height, downsample: 2 },
    ],
    channels: ['a', '', 'c'],
    pixelSize: 0.25,
    async read(window) {
      windows.push(window);
      const data = new Uint16Array(window.width * window.height * 3);
      for (let y = 0; y < window.height; y++) {
        const at = ((window.y + y) * width + window.x) * 3;
        data.set(raw.data.subarray(at, at + window.width * 3), y * window.width * 3);
      }
      return { data, width: window.width, height: window.height, channels: 3 };
    },
    close: async () => {},
  };
  const [whole, byWindow] = [await measure(found, raw), await measure(found, slide)];
  expect(windows.map(({ x, y, level }) => [x, y, level])).toEqual([
    [0, 0, 1],
    [2048, 0, 1],
    [0, 2048, 1],
    [2048, 2048, 1],
  ]);
  expect(byWindow.pixelSize).toBe(0.5);
  expect(byWindow.channels.map(({ name }) => name)).toEqual(['a', 'channel 2', 'c']);
  for (const [i, { name: _, deviation, ...others }] of whole.channels.entries()) {
    expect(byWindow.channels[i]).toMatchObject(others);
    for (const [cell, value] of deviation.entries()) {
      if (cell < 3) expect(byWindow.channels[i]!.deviation[cell]).toBeCloseTo(value, 6);
      else expect(byWindow.channels[i]!.deviation[cell]).toBeNaN();
    }
  }
  await expect(measure(found, { ...slide, levels: slide.levels.slice(0, 1) })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option: 'image' },
  });
  await expect(measure(found, slide, { channels: [0] })).rejects.toMatchObject({
    details: { option: 'channels' },
  });
});

describe('tables', () => {
  test('have the columns of the program that is named', async () => {
    const measurements = await measure(result, grey, { pixelSize: 0.5 });
    const table = (columns: 'skimage' | 'qupath' | 'cellprofiler') =>
      parse(measurementsCsv(result, measurements, { columns }), { columns: true }) as Record<
        string,
        string
      >[];
    expect(table('skimage')[1]).toMatchObject({
      image: 'well.tif',
      label: '2',
      class: 'cell',
      score: '1',
      'centroid-0': '4.5',
      intensity_mean: String(100 + 4.5 * 12 + 4.5),
    });
    const [qupath] = table('qupath');
    expect(qupath).toMatchObject({
      Image: 'well.tif',
      Classification: 'cell',
      'Centroid X µm': '1',
      'Area µm^2': '3',
      'channel 1: Mean': String(100 + 2 * 12 + 1.5),
    });
    expect(table('cellprofiler')[2]).toMatchObject({
      ObjectNumber: '3',
      AreaShape_Area: '6',
      Intensity_MeanIntensity_channel1: String(100 + 6.5 * 12 + 9),
    });
    // The ids link the table to the outlines.
    const { features } = JSON.parse(quPathGeoJson(result, { measurements }));
    expect(features[0].id).toBe(qupath!['Object ID']);
    expect(features[0].properties.measurements).toMatchObject({ 'Area µm^2': 3, Score: 1 });
  });

  test('leave a value that does not exist empty', async () => {
    const dot = resultOf(Masks.fromPolygons([box(3, 3, 1, 1)], size));
    const [row] = parse(measurementsCsv(dot, await measure(dot)), { columns: true }) as [
      Record<string, string>,
    ];
    expect(row).toMatchObject({ area: '1', perimeter: '0', circularity: '', eccentricity: '0' });
  });

  test('refuse measurements of other cells', async () => {
    const measurements = await measure(resultOf(masks.select([0])));
    expect(() => measurementsCsv(result, measurements)).toThrow(/measurements of the 3 cells/);
    expect(() => quPathGeoJson(result, { measurements })).toThrow(/measurements of the 3 cells/);
  });
});
