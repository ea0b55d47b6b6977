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

test('images as they are, from any iterable', async () => {
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
  // Another's array: what one caller writes into it the next does not see.
  first.labels.fill(9);
  expect([...(await a!.load()).labels]).toEqual([1, 1]);
});

test('images that are fetched when they are needed', async () => {
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

test('a fetched image of another size is refused when it is loaded', async () => {
  const dataset = await datasetFrom([image({ image: () => raw(3) })]);
  await expect(dataset.items[0]!.load()).rejects.toThrow('Expected 4 x 2 pixels, as its masks have');
});

test.each<[string, unknown, string]>([
  ['no iterable', 3, 'an iterable of images'],
  ['a text', 'abc', 'an iterable of images'],
  ['nothing', [], 'an image or more for images'],
  ['no object', [null], 'an object for images[0]'],
  ['no id', [image({ id: '' })], 'images[0].id'],
  ['an id twice', [image(), image()], 'ids that differ'],
  ['an option misspelt', [{ ...image(), label: [1] }], 'did you mean labels?'],
  ['masks that are none', [image({ masks: [] as never })], 'Masks for images[0].masks'],
  ['a mask without pixels', [image({ masks: Masks.fromKaggle(['1 1', ''], size) })], 'mask 1 has none'],
  ['labels too few', [image({ labels: [1] })], 'an array of 2 numbers, one per mask for images[0].labels'],
  ['a label too high', [image({ labels: [1, 2] })], 'images[0].labels[1]'],
  ['a label that is no number', [image({ labels: [1, Number.NaN] })], 'images[0].labels[1]'],
  ['another size', [image({ image: raw(5) })], '4 x 2 pixels, as its masks have for images[0].image'],
  ['a column that is no text', [image({ columns: { fold: 1 as never } })], 'images[0].columns.fold'],
  ['no image', [image({ image: 5 as never })], 'images[0].image'],
])('refuses %s', async (_name, images, message) => {
  const made = datasetFrom(images as AnnotatedImage[]);
  await expect(made).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(made).rejects.toThrow(message);
});

test('bytes that are no image are refused', async () => {
  await expect(datasetFrom([image({ image: Buffer.from('no image') })])).rejects.toMatchObject({
    code: 'IMAGE_UNREADABLE',
  });
});

test('an iterable that throws is heard', async () => {
  async function* images(): AsyncGenerator<AnnotatedImage> {
    yield image();
    throw new Error('the database went away');
  }
  await expect(datasetFrom(images())).rejects.toThrow('the database went away');
});
