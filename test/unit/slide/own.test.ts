import type { Slide } from '../../../lib/image/slide.js';
import { checkSlide, readWindow } from '../../../lib/image/slide-window.js';
import { CellSegmenter, Masks, measure } from '../../../lib/index.js';
import { refusal } from '../../support/refusal.js';
import { testEnsemble, thrown } from '../../support/sdk.js';

// A slide over another reader is the caller's own object, and may be wrong in any way.

const side = 64;
const window = { x: 0, y: 0, width: side, height: side };
const pixels = { width: side, height: side, channels: 1, data: new Uint8Array(side * side) } as const;
const slideOf = (change: object = {}): Slide => ({
  width: side,
  height: side,
  levels: [{ width: side, height: side, downsample: 1 }],
  channels: [''],
  read: async () => pixels,
  close: async () => {},
  ...change,
});
const { signal } = new AbortController();

test('an abort ends the wait for a window of a slide that ignores the signal', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const read = () => {
    setImmediate(() => stop.abort(reason));
    return new Promise(() => {});
  };
  await expect(readWindow(slideOf({ read }), window, stop.signal)).rejects.toBe(reason);
});

test.each<[string, object, string]>([
  ['no levels', { levels: [] }, 'slide.levels'],
  ['a level that is null', { levels: [null] }, 'slide.levels[0]'],
  ['a level without a size', { levels: [{ downsample: 1 }] }, 'slide.levels[0].width'],
  [
    'a level of half a pixel',
    { levels: [{ width: 0.5, height: 64, downsample: 1 }] },
    'slide.levels[0].width',
  ],
  [
    'a level that enlarges',
    { levels: [{ width: 64, height: 64, downsample: 0 }] },
    'slide.levels[0].downsample',
  ],
  ['a width that is NaN', { width: Number.NaN }, 'slide.width'],
  ['a first level of another size', { width: 128 }, 'slide.levels[0]'],
  ['a number for read', { read: 5 }, 'slide'],
])('a slide with %s is refused', async (_, change, option) => {
  const slide = slideOf(change);
  expect(thrown(() => checkSlide('slide', slide))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option },
  });
});

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['a number', 5],
  ['an image of another size', { ...pixels, width: 32 }],
  ['too few values', { ...pixels, data: pixels.data.subarray(1) }],
  ['an array that is not typed', { ...pixels, data: [...pixels.data] }],
  ['five channels', { ...pixels, channels: 5, data: new Uint8Array(5 * side * side) }],
])('a window that is %s is IMAGE_UNREADABLE', async (_, returned) => {
  const error = await refusal(readWindow(slideOf({ read: async () => returned }), window, signal));
  expect(error.code).toBe('IMAGE_UNREADABLE');
  expect(error.message).toMatch(/^The slide returned .* for a window of 64 × 64 pixels$/);
});

test('segment and measure refuse it', async () => {
  await using segmenter = await CellSegmenter.load(`${testEnsemble}/fluorescence.safetensors`);
  const nothing = slideOf({ read: async () => undefined });
  expect((await refusal(segmenter.segment(slideOf({ levels: [] })))).code).toBe('INVALID_ARGUMENT');
  expect((await refusal(segmenter.segment(nothing))).code).toBe('IMAGE_UNREADABLE');
  const found = { ...(await segmenter.segment(slideOf())) };
  expect(found.cells.masks).toBeInstanceOf(Masks);
  expect((await refusal(measure(found, slideOf({ levels: [{}] })))).code).toBe('INVALID_ARGUMENT');
  expect((await refusal(measure(found, nothing))).code).toBe('IMAGE_UNREADABLE');
});
