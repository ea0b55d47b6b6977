import sharp from 'sharp';
import {
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  type RunResult,
  resultFormat,
} from '../../lib/export/formats.js';
import { labelPng } from '../../lib/export/label-png.js';
import { resultJson } from '../../lib/export/result-json.js';
import { Masks } from '../../lib/mask/masks.js';
import { renderOverlay } from '../../lib/render/overlay.js';
import { resultOf } from '../support/result.js';

const size = { width: 40, height: 30 };
const square = (x: number, y: number, side = 6) => [x, y, x + side, y, x + side, y + side, x, y + side];
const result = resultOf(Masks.fromPolygons([[square(2, 2)], [square(20, 4)], [square(0, 20)]], size));
const image = { data: new Uint8Array(40 * 30).fill(90), channels: 1 as const, ...size };

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

async function written(word: ResultFormatName): Promise<Buffer> {
  const format = resultFormat(word);
  const runs: RunResult[] = [
    { name: 'a.png', stem: 'a', result },
    { name: 'b.png', stem: 'b', result },
  ];
  return collect(
    format.scope === 'run' ? format.write(runs, {}) : format.write(result, { name: 'a.png', image }),
  );
}

describe('the table of formats', () => {
  test('words are those of file names and differ in what they append', () => {
    const endings = RESULT_FORMAT_NAMES.filter((word) => resultFormat(word).scope === 'image').map(
      (word) => RESULT_FORMATS[word].extension,
    );
    expect(new Set(endings).size).toBe(endings.length);
    for (const word of RESULT_FORMAT_NAMES) {
      expect(word).toMatch(/^[a-z-]+$/);
      expect(RESULT_FORMATS[word].extension).toMatch(/^[._]\w[\w.]+$/);
      expect(RESULT_FORMATS[word].mediaType).toMatch(/^[a-z]+\/[\w.+-]+(;.*)?$/);
    }
  });

  test.each(RESULT_FORMAT_NAMES)('%s ends when it is aborted', async (word) => {
    const format = resultFormat(word);
    const signal = AbortSignal.abort(new Error('enough'));
    const chunks =
      format.scope === 'run'
        ? format.write([{ name: 'a.png', stem: 'a', result }], { signal })
        : format.write(result, { image, signal });
    await expect(collect(chunks)).rejects.toThrow('enough');
  });

  test.each(RESULT_FORMAT_NAMES.filter((word) => RESULT_FORMATS[word].needsImage))(
    '%s says that it needs the image',
    async (word) => {
      const format = resultFormat(word);
      if (format.scope === 'run') throw new Error('a format of a run needs no image');
      await expect(collect(format.write(result, {}))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { option: 'image' },
      });
    },
  );

  test('write what the separate export functions return', async () => {
    expect((await written('json')).toString()).toBe(resultJson(result, { name: 'a.png' }));
    expect(await written('labels')).toEqual(await labelPng(result));
    expect(await written('overlay')).toEqual(await renderOverlay(image, result));
    expect((await sharp(await written('overlay')).metadata()).format).toBe('png');
    const names = JSON.parse((await written('coco')).toString()).images;
    expect(names.map(({ file_name }: { file_name: string }) => file_name)).toEqual(['a.png', 'b.png']);
    const rows = (await written('kaggle')).toString().trim().split('\n');
    expect(rows.map((row) => row.split(',')[0])).toEqual(['id', 'a', 'a', 'a', 'b', 'b', 'b']);
  });

  test('formats of one context share its measurements: the file is read once', async () => {
    const png = await sharp(image.data, { raw: { ...size, channels: 1 } })
      .png()
      .toBuffer();
    let reads = 0;
    const file = (async function* () {
      reads++;
      yield png;
    })();
    const context = { name: 'a.png', file };
    const csv = (await collect(RESULT_FORMATS.measurements.write(result, context))).toString();
    expect(csv.split('\n')[0]).toContain('intensity_mean');
    const { features } = JSON.parse(
      (await collect(RESULT_FORMATS.geojson.write(result, context))).toString(),
    );
    expect(features[0].properties.measurements['channel 1: Mean']).toBe(90);
    expect(reads).toBe(1);
  });

  test('texts of many cells come in pieces that together are one document', async () => {
    const many = resultOf(
      Masks.fromPolygons(
        Array.from({ length: 3000 }, (_, i) => [square((i % 60) * 2, Math.floor(i / 60) * 2, 1)]),
        { width: 120, height: 100 },
      ),
    );
    let pieces = 0;
    const parts: Uint8Array[] = [];
    for await (const part of RESULT_FORMATS.json.write(many, {})) {
      parts.push(part);
      pieces++;
    }
    expect(pieces).toBeGreaterThan(3);
    const { cells } = JSON.parse(Buffer.concat(parts).toString());
    expect(cells.map(({ mask }: { mask: string }) => mask)).toEqual(many.cells.masks.toCoco());
  });
});
