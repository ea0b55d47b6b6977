import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { imageName } from '../../lib/image/input.js';
import { decodeImage, type ImageInput, Masks, readImageInfo } from '../../lib/index.js';
import { datasetFrom } from '../../lib/train.js';
import { image, rejection } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = image.small;
const bytes = readFileSync(path);
const read = (input: ImageInput) => decodeImage(input).then(({ source: _, ...pixels }) => pixels);
let expected: Awaited<ReturnType<typeof read>>;
beforeAll(async () => {
  expected = await read(bytes);
});

test.each<[string, () => ImageInput]>([
  ['a path', () => path],
  ['a file: URL', () => pathToFileURL(path)],
  ['a Blob', () => new Blob([bytes])],
  ['a File', () => new File([bytes], 'a.png')],
  ['a web stream', () => new Blob([bytes]).stream()],
  ['a Node.js stream', () => createReadStream(path, { highWaterMark: 1000 })],
  ['a Buffer', () => bytes],
  ['a Uint8Array', () => new Uint8Array(bytes)],
  ['raw pixels', () => expected],
  ['a sharp instance', () => sharp(bytes)],
])('%s has the same pixels', async (_, input) => {
  expect(await read(input())).toEqual(expected);
});

test('an ImageData is read as RGBA', async () => {
  const data = Uint8ClampedArray.from({ length: 24 }, (_, i) => i * 10);
  const decoded = await read({ data, width: 3, height: 2 });
  expect(decoded).toEqual({ data: Uint8Array.from(data), width: 3, height: 2, channels: 4 });
});

test('a sharp instance gives the result of its pipeline, also with 16 bits', async () => {
  const values = Uint16Array.from({ length: 12 }, (_, i) => 5000 * i);
  const raw = { width: 4, height: 3, channels: 1 } as const;
  const png = await sharp(values, { raw }).toColourspace('grey16').png().toBuffer();
  expect(await read(sharp(png))).toEqual({ data: values, ...raw });
  const cropped = await read(sharp(png).extract({ left: 1, top: 1, width: 2, height: 1 }));
  expect(cropped).toEqual({ data: Uint16Array.of(25_000, 30_000), width: 2, height: 1, channels: 1 });
  // The caller's pipeline can still be used.
  const pipeline = sharp(bytes);
  await read(pipeline);
  expect((await pipeline.raw().toBuffer()).length).toBeGreaterThan(0);
});

test('chunks that a stream reuses are copied', async () => {
  const shared = Buffer.alloc(500);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 500) {
      const length = bytes.copy(shared, 0, at, at + 500);
      yield shared.subarray(0, length);
    }
  }
  expect(await read(chunks())).toEqual(expected);
});

test('large inputs are read in parts and keep their order', async () => {
  const raw = { width: 1500, height: 1100, channels: 1 } as const;
  const values = Uint8Array.from({ length: 1500 * 1100 }, (_, i) => (i * i) >>> 7);
  const png = await sharp(values, { raw }).toColourspace('b-w').png({ compressionLevel: 0 }).toBuffer();
  expect(png.length).toBeGreaterThan(1.5e6);
  for (const input of [new Blob([png]), new Blob([png]).stream(), Readable.from([png]), sharp(png)]) {
    const { data, ...size } = await read(input as ImageInput);
    expect(size).toEqual(raw);
    expect(Buffer.compare(data as Uint8Array, values)).toBe(0);
  }
});

test('a Blob that fails while it is read is refused, and one that is aborted rejects with the reason', async () => {
  const blob = (arrayBuffer: () => Promise<ArrayBuffer>) =>
    Object.assign(new Blob(['x'.repeat(100)]), { slice: () => ({ arrayBuffer }) });
  const failing = blob(() => Promise.reject(new Error('the file changed')));
  expect(await rejection(decodeImage(failing))).toMatchObject({
    code: 'IMAGE_UNREADABLE',
    message: expect.stringMatching(/Blob could not be read: the file changed/),
  });
  const stop = new AbortController();
  const reason = new Error('enough');
  const never = blob(() => new Promise(() => {}));
  const reading = rejection(decodeImage(never, { signal: stop.signal }));
  stop.abort(reason);
  expect(await reading).toBe(reason);
});

test('a stream is closed when it is too long, fails or is aborted', async () => {
  const closed: string[] = [];
  const source = (name: string, chunk: () => Promise<Uint8Array>) =>
    (async function* () {
      try {
        for (;;) yield await chunk();
      } finally {
        closed.push(name);
      }
    })();
  const endless = source('long', async () => bytes);
  expect(await rejection(decodeImage(endless, { limits: { bytes: 1e6 } }))).toMatchObject({
    code: 'IMAGE_TOO_LARGE',
    details: { option: 'limits.bytes' },
  });
  const failing = source('failing', () => Promise.reject(new Error('no network')));
  expect(await rejection(decodeImage(failing))).toMatchObject({
    code: 'IMAGE_UNREADABLE',
    message: expect.stringMatching(/no network/),
  });
  const stop = new AbortController();
  const reason = new Error('enough');
  const aborted = source('aborted', async () => {
    stop.abort(reason);
    return bytes;
  });
  expect(await rejection(decodeImage(aborted, { signal: stop.signal }))).toBe(reason);
  await new Promise((done) => setImmediate(done));
  expect(closed).toEqual(['long', 'failing', 'aborted']);
});

test.each<[string, () => ImageInput, object]>([
  ['a path without a file', () => join(folder, 'none.png'), { code: 'FILE_UNREADABLE' }],
  ['a folder', () => folder, { code: 'FILE_UNREADABLE' }],
  ['a stream of texts', () => Readable.from(['text']) as ImageInput, { code: 'INVALID_ARGUMENT' }],
  ['a sharp instance without an image', () => sharp(Buffer.from('text')), { code: 'IMAGE_UNREADABLE' }],
  ['a URL of the web', () => new URL('http://localhost/a.png'), { code: 'INVALID_ARGUMENT' }],
])('%s is refused', async (_, input, error) => {
  expect(await rejection(decodeImage(input()))).toMatchObject(error);
});

test('a number is refused with the accepted values', async () => {
  const { message } = await rejection(decodeImage(5 as never));
  for (const word of ['path', 'file: URL', 'Blob', 'ReadableStream', 'ImageData', 'sharp', 'Uint8Array']) {
    expect(message).toContain(word);
  }
});

test('an abort while a file is read rejects with the reason', async () => {
  const large = join(folder, 'large.png');
  writeFileSync(large, Buffer.alloc(50e6));
  const stop = new AbortController();
  const decoding = decodeImage(large, { signal: stop.signal });
  stop.abort('enough');
  expect(await rejection(decoding)).toBe('enough');
});

test('the wait for the writer of a named pipe can be aborted', async () => {
  const pipe = join(folder, 'pipe.png');
  execFileSync('mkfifo', [pipe]);
  const writer = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const stop = new AbortController();
    const waiting = decodeImage(pipe, { signal: stop.signal });
    const reason = new Error('enough');
    setTimeout(() => stop.abort(reason), 50);
    await expect(waiting).rejects.toBe(reason);
  } finally {
    closeSync(writer);
  }
});

test('a device is refused: it may never end', async () => {
  for (const device of ['/dev/zero', '/dev/full', '/dev/null']) {
    expect(await rejection(readImageInfo(device))).toMatchObject({
      code: 'FILE_UNREADABLE',
      details: { file: device },
    });
  }
});

test('the header of a path is read', async () => {
  expect(await readImageInfo(path)).toMatchObject({ width: 256, height: 256 });
});

test('an input has the name of its file', () => {
  expect(imageName('/data/a.png')).toBe('a.png');
  expect(imageName(new URL('file:///data/b%20c.png'))).toBe('b c.png');
  expect(imageName(new File([], 'd.tif'))).toBe('d.tif');
  for (const input of [new Blob([]), bytes, expected, 5]) expect(imageName(input)).toBeUndefined();
});

test('a data set of paths reads files when they are needed', async () => {
  const copy = join(folder, 'copy.png');
  writeFileSync(copy, bytes);
  const masks = Masks.encode(new Uint8Array(256 * 256).fill(1), { width: 256, height: 256 });
  const data = await datasetFrom([
    { id: 'path', image: copy, masks },
    { id: 'stream', image: createReadStream(path), masks },
  ]);
  for (const item of data.items) expect(await read((await item.load()).image)).toEqual(expected);
  expect(
    await rejection(datasetFrom([{ id: 'none', image: join(folder, 'none.png'), masks }])),
  ).toMatchObject({
    code: 'FILE_UNREADABLE',
  });
  rmSync(copy);
  expect(await rejection(data.items[0]!.load())).toMatchObject({ code: 'FILE_UNREADABLE' });
});
