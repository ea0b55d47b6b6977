import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import {
  CellSegmenter,
  decodeImage,
  openSlide,
  planSlide,
  type RawImage,
  RoutedEnsemble,
  type Segmentation,
  type Slide,
  type SlidePlan,
  segmentSlideRow,
  stitchSlideRows,
} from '../../../lib/index.js';
import { fewProposals, imageBytes, rejection, root, testEnsemble } from '../../support/sdk.js';
import { cropOf, scratchFolder } from '../../support/slide.js';

const folder = scratchFolder();
const at = (name: string) => join(folder, name);
const weights = `${testEnsemble}/fluorescence.safetensors`;
const tiles = { size: 160, overlap: 64 };
const rpn = fewProposals;

/** Pixels in memory as a slide, which remembers what was read. */
function slideOf(image: RawImage, change: Partial<Slide> = {}): Slide & { windows: object[] } {
  const { data, width, height, channels } = image;
  const windows: object[] = [];
  return {
    windows,
    width,
    height,
    levels: [{ width, height, downsample: 1 }],
    channels: [''],
    async read({ x, y, width: across, height: down }) {
      windows.push({ x, y, width: across, height: down });
      const part = new (data.constructor as Uint8ArrayConstructor)(across * down * channels);
      for (let row = 0; row < down; row++) {
        const start = ((y + row) * width + x) * channels;
        part.set(data.subarray(start, start + across * channels), row * across * channels);
      }
      return { data: part, width: across, height: down, channels };
    },
    async close() {},
    ...change,
  };
}

/** What must be equal to the bit. */
const cellsOf = ({ cells, width, height, limitsReached, seams }: Segmentation) => ({
  size: [width, height],
  boxes: Array.from(cells.boxes),
  scores: Array.from(cells.scores),
  labels: Array.from(cells.labels),
  areas: Array.from(cells.areas),
  masks: cells.masks.toCoco(),
  limitsReached,
  seams,
});

let segmenter: CellSegmenter;
/** About 70 nuclei, in 2 x 3 tiles. */
let image: RawImage;
let expected: Segmentation;
let path: string;
beforeAll(async () => {
  segmenter = await CellSegmenter.load(weights, { config: { rpn } });
  const crowded = await decodeImage(readFileSync(join(root, 'examples/images/fluorescence-crowded.png')));
  const corner = { x: 100, y: 60, width: 256, height: 352 };
  const data = Uint8Array.from(cropOf(crowded, corner, [0]));
  image = { data, width: corner.width, height: corner.height, channels: 1 };
  expected = await segmenter.segment(image, { tiles });
  path = at('crowded.tif');
  await sharp(data, { raw: { width: corner.width, height: corner.height, channels: 1 } })
    .toColourspace('b-w')
    .tiff({ tile: true, tileWidth: 128, tileHeight: 128, pyramid: true, compression: 'deflate' })
    .toFile(path);
});
afterAll(() => segmenter.dispose());

describe('a slide in tiles', () => {
  test('has the cells of the same image in memory, to the bit', async () => {
    expect(expected.cells.length).toBeGreaterThan(60);
    const slide = await openSlide(path);
    const result = await segmenter.segment(slide, { tiles });
    expect(cellsOf(result)).toEqual(cellsOf(expected));
    expect(result.name).toBe('crowded.tif');
    expect(result.slide).toEqual({ level: 0, downsample: 1, tiles: { count: 6, skipped: 0, resumed: 0 } });
    const overlaps = { removeOverlaps: { maxLost: 0.3 }, minArea: 40, detectionsPerImage: 40 };
    const limited = await segmenter.segment(slide, { tiles, ...overlaps });
    expect(cellsOf(limited)).toEqual(cellsOf(await segmenter.segment(image, { tiles, ...overlaps })));
    expect(limited.limitsReached.detections).toBe(true);
    await slide.close();
    expect((await rejection(segmenter.segment(slide, { tiles }))).code).toBe('DISPOSED');
  });

  test('of which rows are yielded as they are finished, has the same cells', async () => {
    for (const removeOverlaps of [false, true]) {
      const whole = removeOverlaps ? await segmenter.segment(image, { tiles, removeOverlaps }) : expected;
      const found: [number, string][] = [];
      const counts: number[] = [];
      for await (const { row, rows, cells } of segmenter.segmentRows(slideOf(image), {
        tiles,
        removeOverlaps,
      })) {
        expect(rows).toBe(3);
        expect(row).toBe(counts.length);
        counts.push(cells.length);
        cells.masks.toCoco().forEach((mask, i) => void found.push([cells.scores[i]!, mask]));
      }
      const all = whole.cells.masks.toCoco().map((mask, i) => [whole.cells.scores[i]!, mask] as const);
      expect(found.sort()).toEqual([...all].sort());
      expect(counts.every((count) => count > 5)).toBe(true);
    }
  });

  test('of more than 2048 × 2048 pixels has the intensities of 64 windows', async () => {
    const [width, height] = [2300, 1900];
    const data = Uint8Array.from({ length: width * height }, (_, i) => 20 + ((i * 2654435761) >>> 25));
    // Outside all windows.
    data[0] = 255;
    const slide = slideOf({ data, width, height, channels: 1 });
    const plan = await planSlide(segmenter, slide);
    expect(slide.windows).toHaveLength(64);
    expect(slide.windows[63]).toEqual({ x: 2028, y: 1644, width: 256, height: 256 });
    expect(plan.range).toEqual({ low: Math.fround(20 / 255), high: Math.fround(147 / 255) });
    expect([plan.columns, plan.rows]).toEqual([3, 2]);
  });

  test('of which most is empty, skips background tiles and loses no cells', async () => {
    const [width, height] = [image.width + 320, image.height];
    const data = new Uint8Array(width * height).fill(9);
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < image.width; x++) {
        data[y * width + x] = image.data[(y * image.width + x) * image.channels]!;
      }
    }
    const padded: RawImage = { data, width, height, channels: 1 };
    const all = await segmenter.segment(padded, { tiles });
    const some = await segmenter.segment(slideOf(padded), { tiles, skipBackground: true });
    expect(some.slide!.tiles.skipped).toBeGreaterThan(5);
    expect(some.slide!.tiles.count).toBeGreaterThan(some.slide!.tiles.skipped + 5);
    expect(cellsOf(some)).toEqual(cellsOf(all));
    const none = await segmenter.segment(slideOf(padded), { tiles, skipBackground: { contrast: 1 } });
    expect(none.cells.length).toBeLessThan(all.cells.length);
  });
});

describe('the level', () => {
  const levels = (image: RawImage) => [
    { width: image.width, height: image.height, downsample: 1 },
    { width: image.width / 2, height: image.height / 2, downsample: 2 },
  ];

  test('is the smallest with the resolution of the network input, or the requested one', async () => {
    const asked: number[] = [];
    const slide = slideOf(image, {
      levels: levels(image),
      async read({ width, height, level = 0 }) {
        asked.push(level);
        return { data: new Uint8Array(width * height), width, height, channels: 1 };
      },
    });
    await using half = await CellSegmenter.load(weights, { config: { resize: { scale: 0.5 } } });
    const result = await half.segment(slide);
    expect(result).toMatchObject({ width: 128, height: 176, slide: { level: 1, downsample: 2 } });
    expect(new Set(asked)).toEqual(new Set([1]));
    asked.length = 0;
    expect((await half.segment(slide, { level: 0 })).slide!.level).toBe(0);
    expect(new Set(asked)).toEqual(new Set([0]));
    expect((await segmenter.segment(slide)).slide!.level).toBe(0);
    // The option refers to level 0.
    const scaled = await segmenter.segment(slide, { scale: 0.5 });
    expect(scaled).toMatchObject({ scale: 0.5, width: 128, slide: { level: 1 } });
  });

  test('follows from the pixel sizes of the slide and of the training', async () => {
    const trainedOn = { trainedOn: { pixelSize: 0.5 } };
    await using known = await CellSegmenter.load(weights, { config: trainedOn });
    const size = async (pixelSize: number | undefined, options = {}) => {
      const slide = slideOf(image, {
        levels: levels(image),
        pixelSize,
        async read({ width, height }) {
          return { data: new Uint8Array(width * height), width, height, channels: 1 };
        },
      });
      const { level, tiling, scale } = await planSlide(known, slide, options);
      return [level, tiling.scale, scale];
    };
    expect(await size(0.5)).toEqual([0, 1, 1]);
    expect(await size(0.25)).toEqual([1, 1, 0.5]);
    expect(await size(0.2)).toEqual([1, 0.8, 0.4]);
    expect(await size(1)).toEqual([0, 2, 2]);
    expect(await size(undefined)).toEqual([0, 1, 1]);
    expect(await size(0.25, { scale: 1 })).toEqual([0, 1, 1]);
    expect(await size(0.25, { pixelSize: 0.5 })).toEqual([0, 1, 1]);
    // A requested level is segmented like a separate image.
    expect(await size(0.25, { level: 1 })).toEqual([1, 1, 1]);
    expect(await size(0.25, { level: 0 })).toEqual([0, 0.5, 0.5]);
  });

  test('with more pixels than masks can have is refused', async () => {
    const side = 70_000;
    const slide = slideOf(image, {
      width: side,
      height: side,
      levels: [{ width: side, height: side, downsample: 1 }],
    });
    const error = await rejection(segmenter.segment(slide));
    expect(error).toMatchObject({ code: 'IMAGE_TOO_LARGE', details: { option: 'level' } });
  });
});

describe('rows as jobs', () => {
  let plan: SlidePlan;
  const rows: Uint8Array[] = [];
  beforeAll(async () => {
    const slide = await openSlide(path);
    // As a queue would send it.
    plan = JSON.parse(JSON.stringify(await planSlide(segmenter, slide, { tiles }))) as SlidePlan;
    for (const row of [2, 0, 1]) rows[row] = await segmentSlideRow(segmenter, slide, plan, row);
  });

  test('have the result of one call, in any order and from another model of the same weights', async () => {
    await using other = await CellSegmenter.load(weights, { config: { rpn } });
    const slide = await openSlide(path);
    const result = await stitchSlideRows(other, slide, plan, rows);
    expect(cellsOf(result)).toEqual(cellsOf(expected));
    const again = await segmentSlideRow(other, slide, plan, 1);
    expect(Buffer.compare(again, rows[1]!)).toBe(0);
  });

  test.each([
    ['a row is missing', () => [rows[0]!, rows[1]!], 'INVALID_ARGUMENT', /all 3 rows/],
    ['rows are out of order', () => [rows[1]!, rows[0]!, rows[2]!], 'INVALID_ARGUMENT', /row 0 in place 0/],
    [
      'a byte is damaged',
      () => {
        const damaged = Uint8Array.from(rows[0]!);
        damaged[damaged.length >> 1]! ^= 4;
        return [damaged];
      },
      'DATA_INVALID',
      /damaged/,
    ],
    ['bytes are another file', () => [new Uint8Array(10)], 'DATA_INVALID', /no tiles/],
    ['a row has no bytes', () => [null as never], 'INVALID_ARGUMENT', /rows\[0\]/],
    ['rows are no iterable', () => 5 as never, 'INVALID_ARGUMENT', /an iterable of bytes for rows/],
  ])('are refused where %s', async (_, given, code, message) => {
    const error = await rejection(stitchSlideRows(segmenter, {}, plan, given()));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('are refused for a plan that was changed, and not for another order of its properties', async () => {
    const slide = await openSlide(path);
    const values = Object.entries(plan).filter(([key]) => key !== 'notices');
    expect(values.length).toBeGreaterThan(10);
    for (const [key, value] of values) {
      const { [key as 'id']: _, ...without } = plan;
      const altered = typeof value === 'object' ? { ...value, more: 1 } : `${value}1`;
      for (const changed of [without, { ...plan, [key]: altered }]) {
        const error = await rejection(segmentSlideRow(segmenter, slide, changed as SlidePlan, 1));
        expect({ key, ...error.details }).toMatchObject({ key, option: 'plan' });
      }
    }
    const reordered = Object.fromEntries(Object.entries(plan).reverse()) as unknown as SlidePlan;
    expect(Buffer.compare(await segmentSlideRow(segmenter, slide, reordered, 1), rows[1]!)).toBe(0);
  });

  test('are refused for another plan, slide or model', async () => {
    const slide = await openSlide(path);
    const other = await planSlide(segmenter, slide, { tiles, minScore: 0.7 });
    expect(other.id).not.toBe(plan.id);
    expect((await rejection(stitchSlideRows(segmenter, {}, other, rows))).code).toBe('RESUME_REFUSED');
    const wrong = await rejection(
      segmentSlideRow(segmenter, { ...slideOf(image), fingerprint: async () => 'x' }, plan, 0),
    );
    expect(wrong.details?.option).toBe('slide');
    await using starter = await CellSegmenter.load(
      `${root}/models/starter/segmenter-fluorescence.safetensors`,
    );
    expect((await rejection(segmentSlideRow(starter, slide, plan, 0))).details?.option).toBe('plan');
    expect((await rejection(segmentSlideRow(segmenter, slide, plan, 3))).details?.option).toBe('row');
    expect((await rejection(segmentSlideRow(segmenter, slide, {} as never, 0))).details?.option).toBe('plan');
  });
});

test.each([null, 7, { level: 1 }, { signal: 1 }])('options of a window are refused: %j', async (options) => {
  const slide = await openSlide(path);
  const error = await rejection(slide.read({ x: 0, y: 0, width: 8, height: 8 }, options as never));
  expect(error.code).toBe('INVALID_ARGUMENT');
});

test('a slide whose fingerprint takes long does not delay an abort', async () => {
  const slide = await openSlide(path);
  const plan = await planSlide(segmenter, slide, { tiles });
  for (const work of [
    (endless: Slide, signal: AbortSignal) => planSlide(segmenter, endless, { tiles, signal }),
    (endless: Slide, signal: AbortSignal) => segmentSlideRow(segmenter, endless, plan, 0, { signal }),
  ]) {
    const stop = new AbortController();
    const reason = new Error('enough');
    const fingerprint = () => {
      stop.abort(reason);
      return new Promise<string>(() => {});
    };
    await expect(work({ ...slideOf(image), fingerprint }, stop.signal)).rejects.toBe(reason);
  }
  const aborted = slide.fingerprint!({ signal: AbortSignal.abort(new Error('enough')) });
  await expect(aborted).rejects.toThrow('enough');
});

describe('a run that is interrupted', () => {
  const resume = at('resume');

  test('continues from the tiles that were finished, with the same result', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const finished = () =>
      existsSync(resume) ? readdirSync(resume).filter((name) => name.endsWith('.cells')) : [];
    const slide = await openSlide(path);
    const read = slide.read.bind(slide);
    const spy = jest.spyOn(slide, 'read').mockImplementation((window, more) => {
      if (finished().length >= 2) stop.abort(reason);
      return read(window, more);
    });
    const options = { tiles, resume };
    await expect(segmenter.segment(slide, { ...options, signal: stop.signal })).rejects.toBe(reason);
    spy.mockRestore();
    const kept = finished();
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(kept.length).toBeLessThan(6);
    // One is damaged: it is segmented again.
    const damaged = readFileSync(join(resume, kept[0]!));
    damaged[100]! ^= 1;
    writeFileSync(join(resume, kept[0]!), damaged);
    const result = await segmenter.segment(slide, options);
    expect(result.slide!.tiles).toEqual({ count: 6, skipped: 0, resumed: kept.length - 1 });
    expect(cellsOf(result)).toEqual(cellsOf(expected));
    expect((await segmenter.segment(slide, options)).slide!.tiles.resumed).toBe(6);
    let resumed = 0;
    for await (const row of segmenter.segmentRows(slide, options)) resumed += row.tiles.resumed;
    expect(resumed).toBe(6);
  });

  test('is refused with other options, another slide or another model', async () => {
    const slide = await openSlide(path);
    const refused = async (own: CellSegmenter, input: Slide, more = {}) => {
      const error = await rejection(own.segment(input, { tiles, resume, ...more }));
      expect(error.code).toBe('RESUME_REFUSED');
      return error.message;
    };
    expect(await refused(segmenter, slide, { minScore: 0.7 })).toMatch(/other options/);
    expect(await refused(segmenter, slideOf(image))).toMatch(/another slide/);
    await using starter = await CellSegmenter.load(
      `${root}/models/starter/segmenter-fluorescence.safetensors`,
    );
    expect(await refused(starter, slide)).toMatch(/another model/);
    // What does not change the tiles does not matter.
    const renamed = await segmenter.segment(slide, { tiles, resume, name: 'other', onProgress: () => {} });
    expect(renamed).toMatchObject({ name: 'other', slide: { tiles: { resumed: 6 } } });
  });

  test('a folder that another run uses is refused, and one that cannot be made', async () => {
    const slide = slideOf(image);
    const first = segmenter.segmentRows(slide, { tiles, resume: at('locked') });
    await first.next();
    const error = await rejection(segmenter.segment(slide, { tiles, resume: at('locked') }));
    expect(error.code).toBe('RUN_LOCKED');
    await first.return(undefined);
    expect(
      (await segmenter.segment(slide, { tiles, resume: at('locked') })).slide!.tiles.resumed,
    ).toBeGreaterThan(1);
    writeFileSync(at('file'), '');
    const wrong = await rejection(segmenter.segment(slide, { tiles, resume: at('file/below') }));
    expect(wrong.code).toBe('FILE_UNWRITABLE');
  });
});

describe('an ensemble', () => {
  test('routes a slide and segments it as an image in memory', async () => {
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    ensemble.setThresholds({ fluorescence: { ...ensemble.thresholds.fluorescence, rpn } });
    const slide = await openSlide(path);
    const result = await ensemble.segment(slide, { tiles });
    const inMemory = await ensemble.segment(image, { tiles });
    expect(cellsOf(result)).toEqual(cellsOf(inMemory));
    expect(result.cellType).toBe(inMemory.cellType);
    expect(result.segmenter).toBe(inMemory.segmenter);
    for (const [type, probability] of Object.entries(inMemory.probabilities)) {
      expect(result.probabilities[type]).toBeCloseTo(probability, 6);
    }
    const plan = await planSlide(ensemble, slide, { tiles });
    const rows: Uint8Array[] = [];
    for (let row = 0; row < plan.rows; row++) rows.push(await segmentSlideRow(ensemble, slide, plan, row));
    expect(await stitchSlideRows(ensemble, slide, plan, rows)).toEqual(result);
    for await (const row of ensemble.segmentRows(slide, { tiles })) {
      expect(row.route).toMatchObject({ cellType: result.cellType });
    }
    expect((await rejection(ensemble.segment(slide, { cellType: 'no' }))).details?.option).toBe('cellType');
    const [other] = ensemble.cellTypes.filter((type) => !ensemble.segmenters[type]);
    expect((await rejection(ensemble.segment(slide, { cellType: other! }))).code).toBe('NO_SEGMENTER');
  });

  test('averages windows of a large slide, without empty ones', async () => {
    await using ensemble = await RoutedEnsemble.load(testEnsemble);
    const side = 4000;
    const asked: unknown[] = [];
    const slide = slideOf(image, {
      width: side,
      height: side,
      levels: [{ width: side, height: side, downsample: 1 }],
      async read(window) {
        asked.push([window.width, window.height]);
        const { width, height, x } = window;
        const data = new Uint8Array(width * height);
        for (let i = 0; x < 2000 && i < data.length; i++)
          data[i] = image.data[(i * image.channels) % image.data.length]!;
        return { data, width, height, channels: 1 };
      },
    });
    const plan = await planSlide(ensemble, slide, { cellType: 'fluorescence' });
    expect(asked.filter((size) => String(size) === '512,512')).toHaveLength(9);
    const sum = Object.values(plan.route!.probabilities).reduce((total, one) => total + one, 0);
    expect(sum).toBeCloseTo(1, 5);
  });
});

describe('what is refused or fails', () => {
  test.each([
    ['what is read', { page: 1 }, 'page'],
    ['channels', { channels: 0 }, 'channels'],
    ['no tiles', { tiles: false }, 'tiles'],
    ['a level that is missing', { level: 1 }, 'level'],
    ['another background rule', { skipBackground: { contrast: 2 } }, 'skipBackground.contrast'],
    ['a misspelt background rule', { skipBackground: { contrasts: 0 } }, 'skipBackground.contrasts'],
    ['no folder', { resume: '' }, 'resume'],
    ['an unknown option', { levels: 1 }, 'levels'],
  ])('%s', async (_, options, option) => {
    const error = await rejection(segmenter.segment(slideOf(image), options as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
  });

  test('options of slides for an image, a limit for rows, and other values', async () => {
    const forImage = await rejection(segmenter.segment(imageBytes('small'), { level: 0 } as never));
    expect(forImage.details?.option).toBe('level');
    const rows = segmenter.segmentRows(slideOf(image), { detectionsPerImage: 3 } as never);
    expect((await rejection(rows.next())).details?.option).toBe('detectionsPerImage');
    const none = segmenter.segmentRows(slideOf(image), null as never);
    expect((await rejection(none.next())).details?.option).toBe('options');
    expect((await rejection(planSlide(segmenter, path as never))).details?.option).toBe('slide');
  });

  test('a slide that returns another size, type or error', async () => {
    const broken = (read: Slide['read']) => rejection(segmenter.segment(slideOf(image, { read }), { tiles }));
    const size = await broken(async () => ({ data: new Uint8Array(4), width: 2, height: 2, channels: 1 }));
    expect(size.code).toBe('IMAGE_UNREADABLE');
    let calls = 0;
    const type = await broken(async ({ width, height }) => {
      const length = width * height;
      const data = calls++ < 2 ? new Uint8Array(length) : new Uint16Array(length);
      return { data, width, height, channels: 1 };
    });
    expect(type.message).toMatch(/different types/);
    const failure = new Error('the disk is gone');
    calls = 0;
    const thrown = await broken(async ({ width, height }) => {
      if (calls++ === 4) throw failure;
      return { data: new Uint8Array(width * height), width, height, channels: 1 };
    });
    expect(thrown).toBe(failure);
    const floats = await broken(async ({ width, height }) => {
      const data = new Float32Array(width * height);
      if (calls++ === 8) data[5] = Number.NaN;
      return { data, width, height, channels: 1 };
    });
    expect(floats.code).toBe('IMAGE_UNSUPPORTED');
    // The next call works.
    expect((await segmenter.segment(slideOf(image), { tiles })).cells.length).toBe(expected.cells.length);
  });

  test('an abort rejects with its reason, a listener that throws with its error, and progress rises to 1', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const slide = slideOf(image, {
      async read({ width, height }) {
        if (slide.windows.push({}) === 3) stop.abort(reason);
        return { data: new Uint8Array(width * height), width, height, channels: 1 };
      },
    });
    await expect(segmenter.segment(slide, { tiles, signal: stop.signal })).rejects.toBe(reason);
    const onProgress = () => {
      throw reason;
    };
    await expect(segmenter.segment(slideOf(image), { tiles, onProgress })).rejects.toBe(reason);
    const seen: { stage: string; fraction: number }[] = [];
    await segmenter.segment(slideOf(image), { tiles, onProgress: (one) => void seen.push(one) });
    const fractions = seen.map(({ fraction }) => fraction);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toEqual({ stage: 'done', fraction: 1 });
  });

  test('a model that is disposed between rows', async () => {
    const own = await CellSegmenter.load(weights);
    const rows = own.segmentRows(slideOf(image), { tiles });
    await rows.next();
    await own.dispose();
    expect((await rejection(rows.next())).code).toBe('DISPOSED');
    expect((await rejection(own.segment(slideOf(image)))).code).toBe('DISPOSED');
  });
});
