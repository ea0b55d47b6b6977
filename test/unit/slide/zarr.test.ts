import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { create, root, set } from 'zarrita';
import { openSlide } from '../../../lib/index.js';
import { rejection } from '../../support/sdk.js';
import { cropOf, gradient, scratchFolder, writeZarr } from '../../support/slide.js';

const folder = scratchFolder();
const at = (name: string) => join(folder, name);
const window = { x: 50, y: 30, width: 100, height: 90 };

describe.each(['0.4', '0.5'] as const)('OME-Zarr %s', (version) => {
  const large = gradient(200, 150, 3, Uint16Array);
  const small = gradient(100, 75, 3, Uint16Array);
  const path = at(`v${version}.zarr`);
  beforeAll(() => writeZarr(path, [large, small], { version, names: ['DAPI', 'GFP', 'RFP'] }));

  test('levels, channels and the pixel size are those of the metadata', async () => {
    const slide = await openSlide(path, { channels: 'GFP' });
    expect(slide).toMatchObject({ width: 200, height: 150, name: `v${version}.zarr`, pixelSize: 0.5 });
    expect(slide.levels).toEqual([
      { width: 200, height: 150, downsample: 1 },
      { width: 100, height: 75, downsample: 2 },
    ]);
    expect(slide.channels).toEqual(['DAPI', 'GFP', 'RFP']);
    expect(slide.source).toMatchObject({ format: 'OME-Zarr', channels: [1] });
  });

  test('windows equal the image', async () => {
    const one = await openSlide(path, { channels: 'GFP' });
    const { data } = await one.read(window);
    expect(data).toBeInstanceOf(Uint16Array);
    expect(Array.from(data)).toEqual(cropOf(large, window, [1]));
    const three = await openSlide(path, { channels: [2, 0, 1] });
    const inSmall = { x: 63, y: 0, width: 37, height: 75 };
    const read = await three.read({ ...inSmall, level: 1 });
    expect(Array.from(read.data)).toEqual(cropOf(small, inSmall, [2, 0, 1]));
  });

  test('several channels need a choice', async () => {
    const error = await rejection(openSlide(path));
    expect(error).toMatchObject({ code: 'IMAGE_UNSUPPORTED', details: { option: 'channels' } });
    expect(error.message).toMatch(/DAPI, GFP, RFP/);
    expect((await rejection(openSlide(path, { channels: 'CY5' }))).code).toBe('INVALID_ARGUMENT');
    expect((await rejection(openSlide(path, { channels: 0, z: 1 }))).code).toBe('INVALID_ARGUMENT');
  });
});

test('compressed chunks that zarrita wrote, and a chunk that is missing', async () => {
  const image = gradient(130, 120, 1, Float32Array);
  const files = new Map<string, Uint8Array>();
  const array = await create(root(files).resolve('/0'), {
    shape: [120, 130],
    chunkShape: [64, 64],
    dtype: 'float32',
    fillValue: 7,
    codecs: [
      { name: 'bytes', configuration: { endian: 'little' } },
      {
        name: 'blosc',
        configuration: { cname: 'zstd', clevel: 5, shuffle: 'shuffle', typesize: 4, blocksize: 0 },
      },
    ],
  });
  await set(array, null, { data: image.data as Float32Array, shape: [120, 130], stride: [130, 1] });
  const path = at('blosc.zarr');
  for (const [key, bytes] of files) {
    mkdirSync(join(path, key, '..'), { recursive: true });
    writeFileSync(join(path, key), bytes);
  }
  const ome = {
    version: '0.5',
    multiscales: [{ axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '0' }] }],
  };
  writeFileSync(
    join(path, 'zarr.json'),
    JSON.stringify({ zarr_format: 3, node_type: 'group', attributes: { ome } }),
  );
  const slide = await openSlide(path);
  expect(slide.pixelSize).toBeUndefined();
  const whole = { x: 0, y: 0, width: 130, height: 120 };
  expect(Array.from((await slide.read(whole)).data)).toEqual(cropOf(image, whole));
  rmSync(join(path, '0/c/1/2'));
  const { data } = await slide.read({ x: 129, y: 119, width: 1, height: 1 });
  expect(Array.from(data)).toEqual([7]);
});

test('behind HTTP it is read by chunk, and a server that fails is reported', async () => {
  const image = gradient(200, 150);
  const path = at('http.zarr');
  writeZarr(path, [image], {});
  const asked: string[] = [];
  let fails = false;
  const server = createServer((request, response) => {
    asked.push(request.url!);
    if (fails) {
      response.writeHead(500).end();
      return;
    }
    createReadStream(join(path, request.url!.replace('/a/b.zarr', '')))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  }).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a/b.zarr`;
    const slide = await openSlide(url);
    expect(slide.name).toBe('b.zarr');
    asked.length = 0;
    const corner = { x: 70, y: 70, width: 50, height: 50 };
    expect(Array.from((await slide.read(corner)).data)).toEqual(cropOf(image, corner));
    expect(asked).toEqual(['/a/b.zarr/0/c/0/1/1']);
    fails = true;
    const error = await rejection(slide.read(corner));
    expect(error.code).toBe('IMAGE_UNREADABLE');
    expect(error.message).toMatch(/500/);
    const stop = new AbortController();
    const read = slide.read(corner, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(read).rejects.toBe(stop.signal.reason);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('an array that is no smaller level is skipped, and the levels after it are read', async () => {
  const [large, same, small] = [gradient(80, 64), gradient(80, 64), gradient(40, 32)];
  writeZarr(at('levels.zarr'), [large, same, small]);
  const slide = await openSlide(at('levels.zarr'));
  expect(slide.levels.map(({ width }) => width)).toEqual([80, 40]);
  const whole = { x: 0, y: 0, width: 40, height: 32 };
  expect(Array.from((await slide.read({ ...whole, level: 1 })).data)).toEqual(cropOf(small, whole));
});

describe('what is refused', () => {
  const image = gradient(70, 70);
  const put = (name: string, options: Parameters<typeof writeZarr>[2]) => {
    writeZarr(at(name), [image], options);
    return at(name);
  };

  test.each([
    ['a folder without metadata', () => folder, 'IMAGE_UNSUPPORTED', /no group/],
    [
      'a plate',
      () => put('plate.zarr', { more: { plate: {}, multiscales: undefined } }),
      'IMAGE_UNSUPPORTED',
      /A\/1\/0/,
    ],
    [
      'other axes',
      () => put('axes.zarr', { more: { multiscales: [{ axes: [{ name: 'q' }] }] } }),
      'IMAGE_UNSUPPORTED',
      /axes are q/,
    ],
    [
      'axes that do not fit an array',
      () =>
        put('rank.zarr', {
          more: { multiscales: [{ axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '0' }] }] },
        }),
      'IMAGE_UNREADABLE',
      /axes are yx/,
    ],
    [
      'an array that is missing',
      () =>
        put('missing.zarr', {
          more: { multiscales: [{ axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '../../9' }] }] },
        }),
      'IMAGE_UNREADABLE',
      /cannot be read/,
    ],
  ])('%s', async (_, path, code, message) => {
    const error = await rejection(openSlide(path()));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('another sample type, chunks that are too large, and damaged chunks', async () => {
    const path = put('type.zarr', {});
    const array = (change: object) => {
      const text = {
        zarr_format: 3,
        node_type: 'array',
        shape: [1, 70, 70],
        data_type: 'uint8',
        chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 64, 64] } },
        chunk_key_encoding: { name: 'default' },
        fill_value: 0,
        codecs: [{ name: 'bytes' }, { name: 'gzip', configuration: { level: 1 } }],
        ...change,
      };
      writeFileSync(join(path, '0/zarr.json'), JSON.stringify(text));
    };
    array({ data_type: 'int32' });
    expect(await rejection(openSlide(path))).toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      details: { got: 'int32' },
    });
    array({ chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 40_000, 40_000] } } });
    expect((await rejection(openSlide(path))).code).toBe('IMAGE_TOO_LARGE');
    array({});
    const slide = await openSlide(path);
    const error = await rejection(slide.read({ x: 0, y: 0, width: 9, height: 9 }));
    expect(error.code).toBe('IMAGE_UNREADABLE');
    await slide.close();
    expect((await rejection(slide.read({ x: 0, y: 0, width: 9, height: 9 }))).code).toBe('DISPOSED');
  });
});
