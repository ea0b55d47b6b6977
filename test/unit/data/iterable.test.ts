import sharp from 'sharp';
import { type AnnotatedImage, datasetFrom } from '../../../lib/data/iterable.js';
import type { RawImage } from '../../../lib/image/types.js';
import { Masks } from '../../../lib/mask/masks.js';

const size = { width: 4, height: 2 };
const masks = Masks.fromKaggle(['1 2', '8 1'], size);
const raw = (width = 4): RawImage => ({ data: new Uint8Array(width * 2), width, height: 2, channels: 1 });
const image = (others: Partial<AnnotatedImage> = {}): AnnotatedImage => ({
  ...{ id: 'a', image: raw(), masks },
  ...others,
});

test('images from any iterable', async () => {
  async function* images() {
    yield image({ id: 'b', cellType: 'x', labels: [2, 1], columns: { fold: '1' } });
    yield image();
  }
  const dataset = await datasetFrom(images(), { classNames: ['alive', 'dead'] });
  expect(dataset.classNames).toEqual(['alive', 'dead']);
  const [a, b] = dataset.items;
  expect(a).toMatchObject({ id: 'a', cellType: undefined, columns: {}, width: 4, height: 2, cells: 2 });
  expect(b).toMatchObject({ id: 'b', cellType: 'x', columns: { fold: '1' }, areas: Uint32Array.of(2, 1) });
  const [first, second] = await Promise.all([a!.load(), b!.load()]);
  expect([...first.labels]).toEqual([1, 1]);
  expect([...second.labels]).toEqual([2, 1]);
  expect(second.masks.toKaggle()).toEqual(masks.toKaggle());
  // A copy: changes by one caller are not visible to the next.
  first.labels.fill(9);
  expect([...(await a!.load()).labels]).toEqual([1, 1]);
});

test('images that are loaded when they are needed', async () => {
  const png = await sharp(Buffer.alloc(8), { raw: { ...size, channels: 1 } })
    .png()
    .toBuffer();
  const signals: unknown[] = [];
  const load = async ({ signal }: { signal?: AbortSignal | undefined }) => {
    signals.push(signal);
    return png;
  };
  const dataset = await datasetFrom([image({ image: load })]);
  expect(signals).toEqual([]);
  const { signal } = new AbortController();
  expect((await dataset.items[0]!.load({ signal })).image).toBe(png);
  expect(signals).toEqual([signal]);
});

test('a function that returns an image of another size is refused when it is called', async () => {
  const dataset = await datasetFrom([image({ image: () => raw(3) })]);
  await expect(dataset.items[0]!.load()).rejects.toThrow('Expected 4 x 2 pixels, the size of its masks');
});

test.each<[string, unknown, string]>([
  ['not an iterable', 3, 'an iterable of images'],
  ['a text', 'abc', 'an iterable of images'],
  ['an empty list', [], 'at least one image for images'],
  ['null', [null], 'an object for images[0]'],
  ['no id', [image({ id: '' })], 'images[0].id'],
  ['a duplicate id', [image(), image()], 'unique ids'],
  ['a misspelled option', [{ ...image(), label: [1] }], 'did you mean labels?'],
  ['invalid masks', [image({ masks: [] as never })], 'Masks for images[0].masks'],
  ['a mask without pixels', [image({ masks: Masks.fromKaggle(['1 1', ''], size) })], 'an empty mask (1)'],
  ['too few labels', [image({ labels: [1] })], 'an array of 2 numbers, one per mask for images[0].labels'],
  ['a label that is too high', [image({ labels: [1, 2] })], 'images[0].labels[1]'],
  ['a label that is not a number', [image({ labels: [1, Number.NaN] })], 'images[0].labels[1]'],
  ['another size', [image({ image: raw(5) })], '4 x 2 pixels, the size of its masks, for images[0].image'],
  ['a column that is not a string', [image({ columns: { fold: 1 as never } })], 'images[0].columns.fold'],
  ['no image', [image({ image: 5 as never })], 'images[0].image'],
])('refuses %s', async (_name, images, message) => {
  const made = datasetFrom(images as AnnotatedImage[]);
  await expect(made).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(made).rejects.toThrow(message);
});

test('bytes that are not an image are refused', async () => {
  await expect(datasetFrom([image({ image: Buffer.from('no image') })])).rejects.toMatchObject({
    code: 'IMAGE_UNREADABLE',
  });
});

test('an error of the iterable is thrown', async () => {
  async function* images(): AsyncGenerator<AnnotatedImage> {
    yield image();
    throw new Error('the database went away');
  }
  await expect(datasetFrom(images())).rejects.toThrow('the database went away');
});

test('an abort ends the wait for the next image, and the iterable is closed', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const closed = jest.fn(async () => ({ done: true as const, value: undefined }));
  const next = () => {
    setImmediate(() => stop.abort(reason));
    return new Promise<never>(() => {});
  };
  const images = { [Symbol.asyncIterator]: () => ({ next, return: closed }) };
  await expect(datasetFrom(images, { signal: stop.signal })).rejects.toBe(reason);
  expect(closed).toHaveBeenCalledTimes(1);
});
