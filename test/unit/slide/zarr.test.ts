import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { deflateSync, gzipSync } from 'node:zlib';
import Blosc from 'numcodecs/blosc';
import LZ4 from 'numcodecs/lz4';
import Zstd from 'numcodecs/zstd';
import { create, registry, root, set } from 'zarrita';
import { crc32c } from '../../../lib/crc32c.js';
import { zarrThread } from '../../../lib/image/zarr-thread.js';
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

test.each([
  ['C', 1],
  ['F', 1],
  ['F', 3],
] as const)('windows of order %s with %i channels in a chunk equal the image', async (order, inChunk) => {
  const image = gradient(200, 150, 3, Uint16Array);
  const path = at(`order-${order}${inChunk}.zarr`);
  writeZarr(path, [image], { version: '0.4' });
  const chunks = [inChunk, 64, 48];
  const file = join(path, '0/.zarray');
  const metadata = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...metadata, chunks, order, dtype: '>u2' }));
  for (let c = 0; c < 3; c += inChunk) {
    for (let y = 0; y < 150; y += 64) {
      for (let x = 0; x < 200; x += 48) {
        const bytes = Buffer.alloc(inChunk * 64 * 48 * 2);
        for (let k = 0; k < inChunk; k++) {
          for (let j = 0; j < Math.min(64, 150 - y); j++) {
            for (let i = 0; i < Math.min(48, 200 - x); i++) {
              const place = order === 'C' ? (k * 64 + j) * 48 + i : k + inChunk * (j + 64 * i);
              bytes.writeUInt16BE(image.data[((y + j) * 200 + x + i) * 3 + c + k]!, place * 2);
            }
          }
        }
        const key = join(path, `0/${c / inChunk}/${y / 64}/${x / 48}`);
        mkdirSync(dirname(key), { recursive: true });
        writeFileSync(key, bytes);
      }
    }
  }
  const slide = await openSlide(path, { channels: [2, 0, 1] });
  const reading = jest.spyOn(zarrThread, 'read');
  expect(Array.from((await slide.read(window)).data)).toEqual(cropOf(image, window, [2, 0, 1]));
  // The window lies in 2 × 3 chunks; one with all channels is read once.
  expect(reading).toHaveBeenCalledTimes((6 * 3) / inChunk);
  reading.mockRestore();
});

test('of a relative path it is read after the current folder was changed', async () => {
  const image = gradient(100, 90);
  writeZarr(at('relative #1.zarr'), [image]);
  const before = process.cwd();
  try {
    process.chdir(folder);
    const slide = await openSlide('relative #1.zarr');
    process.chdir(before);
    expect(slide.name).toBe('relative #1.zarr');
    const inside = { x: 10, y: 20, width: 70, height: 60 };
    expect(Array.from((await slide.read(inside)).data)).toEqual(cropOf(image, inside));
  } finally {
    process.chdir(before);
  }
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
    // The program's own fetch may have a proxy or credentials.
    const fetching = jest.spyOn(globalThis, 'fetch');
    await slide.read(corner);
    expect(fetching).toHaveBeenCalledTimes(1);
    fetching.mockRestore();
    asked.length = 0;
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
      'a path that is not encoded as one',
      () =>
        put('encoded.zarr', {
          more: {
            multiscales: [{ axes: ['c', 'y', 'x'].map((name) => ({ name })), datasets: [{ path: '%' }] }],
          },
        }),
      'IMAGE_UNREADABLE',
      /cannot be read/,
    ],
    [
      'an array that is missing',
      () =>
        put('missing.zarr', {
          more: { multiscales: [{ axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '../../9' }] }] },
        }),
      'IMAGE_UNREADABLE',
      /cannot be read: .*the array \.\.\/\.\.\/9, which is not there/,
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
    for (const configuration of [{}, 7, { chunk_shape: 'x' }, { chunk_shape: [64, 64] }]) {
      array({ chunk_grid: { name: 'regular', configuration } });
      expect((await rejection(openSlide(path))).code).toBe('IMAGE_UNREADABLE');
    }
    array({ shape: null });
    expect((await rejection(openSlide(path))).code).toBe('IMAGE_UNREADABLE');
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

describe('chunks', () => {
  const little = { name: 'bytes', configuration: { endian: 'little' } };
  const samples = new Uint8Array(64 * 64).fill(9);
  const window = { x: 0, y: 0, width: 64, height: 64 };

  /** A grey image of 64 × 64 pixels with the bytes of its only chunk. */
  function chunkOf(name: string, bytes: Uint8Array, codecs: object[], change: object = {}): string {
    const path = at(`${name}.zarr`);
    const put = (key: string, content: string | Uint8Array) => {
      mkdirSync(dirname(join(path, key)), { recursive: true });
      writeFileSync(join(path, key), content);
    };
    const ome = {
      version: '0.5',
      multiscales: [{ axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '0' }] }],
    };
    put('zarr.json', JSON.stringify({ zarr_format: 3, node_type: 'group', attributes: { ome } }));
    const array = {
      zarr_format: 3,
      node_type: 'array',
      shape: [64, 64],
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [64, 64] } },
      chunk_key_encoding: { name: 'default' },
      fill_value: 0,
      codecs: [little, ...codecs],
      ...change,
    };
    put('0/zarr.json', JSON.stringify(array));
    put('0/c/0/0', bytes);
    return path;
  }

  /** The same of Zarr 2. */
  function oldChunkOf(name: string, bytes: Uint8Array, compressor: object): string {
    const path = at(`${name}.zarr`);
    writeZarr(path, [gradient(64, 64)], { version: '0.4' });
    const file = join(path, '0/.zarray');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), compressor }));
    writeFileSync(join(path, '0/0/0/0'), bytes);
    return path;
  }

  async function readError(path: string) {
    const slide = await openSlide(path);
    const error = await rejection(slide.read(window));
    await slide.close();
    return error;
  }

  const gzip = [{ name: 'gzip', configuration: { level: 1 } }];
  const zstd = [{ name: 'zstd', configuration: { level: 1 } }];
  const blosc = [
    {
      name: 'blosc',
      configuration: { cname: 'lz4', clevel: 5, shuffle: 'noshuffle', typesize: 1, blocksize: 0 },
    },
  ];
  const large = new Uint8Array(2 ** 20);

  /** A zstd frame of blocks that repeat one byte 2^17 times; its header may state a size of 257 bytes. */
  function repeated(blocks: number, states: boolean): Buffer {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, states ? 0x40 : 0, 0x58, ...(states ? [1, 0] : [])]);
    const body = Array.from({ length: blocks }, (_, i) => {
      const block = Buffer.alloc(4, 7);
      block.writeUIntLE((i === blocks - 1 ? 1 : 0) | (1 << 1) | ((2 ** 17) << 3), 0, 3);
      return block;
    });
    return Buffer.concat([header, ...body]);
  }

  async function encoded(codec: 'blosc' | 'lz4' | 'zstd', bytes: Uint8Array): Promise<Buffer> {
    const codecs = { blosc: Blosc, lz4: LZ4, zstd: Zstd };
    return Buffer.from(await codecs[codec].fromConfig({ id: codec }).encode(bytes));
  }

  const withUint32 = (bytes: Buffer, at: number, value: number) => {
    bytes.writeUInt32LE(value, at);
    return bytes;
  };

  test('with each compression are read', async () => {
    const checksum = withUint32(Buffer.concat([samples, Buffer.alloc(4)]), 4096, crc32c(samples));
    const paths = [
      chunkOf('plain', samples, []),
      chunkOf('gzip', gzipSync(samples), gzip),
      chunkOf('zlib', deflateSync(samples), [{ name: 'zlib', configuration: { level: 1 } }]),
      chunkOf('zstd', await encoded('zstd', samples), zstd),
      chunkOf('lz4', await encoded('lz4', samples), [{ name: 'lz4', configuration: { acceleration: 1 } }]),
      chunkOf('blosc', await encoded('blosc', samples), blosc),
      chunkOf('checksum', checksum, [{ name: 'crc32c' }]),
      chunkOf('old-names', gzipSync(samples), [{ name: 'numcodecs.gzip', configuration: { level: 1 } }]),
      oldChunkOf('old-zlib', deflateSync(samples), { id: 'zlib', level: 1 }),
      oldChunkOf('old-blosc', await encoded('blosc', samples), {
        id: 'blosc',
        cname: 'lz4',
        clevel: 5,
        shuffle: 0,
      }),
    ];
    for (const path of paths) {
      const slide = await openSlide(path);
      expect({ path, data: (await slide.read(window)).data }).toEqual({ path, data: samples });
      await slide.close();
    }
  });

  test.each<[string, () => Promise<string> | string, RegExp]>([
    [
      'too few samples',
      () => chunkOf('few', samples.subarray(9), []),
      /has 4087 samples, and its shape has 4096/,
    ],
    ['too many samples', () => chunkOf('many', new Uint8Array(5000), []), /has 5000 samples/],
    ['no bytes', () => chunkOf('none', new Uint8Array(), []), /has 0 samples/],
    [
      'too few samples of gzip',
      () => chunkOf('gzip-few', gzipSync(samples.subarray(9)), gzip),
      /has 4087 samples/,
    ],
    [
      'a bomb of gzip',
      () => chunkOf('gzip-bomb', gzipSync(large), gzip),
      /"gzip": the chunk decodes to at least \d+ b/,
    ],
    [
      'a bomb of gzip in gzip',
      () => chunkOf('gzip-twice', gzipSync(gzipSync(large)), [...gzip, ...gzip]),
      /"gzip": the chunk decodes to at least \d+ b/,
    ],
    [
      'a bomb of zlib',
      () => oldChunkOf('zlib-bomb', deflateSync(large), { id: 'zlib' }),
      /"numcodecs.zlib": the chunk decodes to at/,
    ],
    [
      'a bomb of zstd',
      async () => chunkOf('zstd-bomb', await encoded('zstd', large), zstd),
      /decodes to at least 1048576 bytes/,
    ],
    [
      'a bomb of zstd without a size',
      () => chunkOf('zstd-unstated', repeated(64, false), zstd),
      /decodes to at least 2097152 b/,
    ],
    [
      'a bomb of zstd with a wrong size',
      () => chunkOf('zstd-lie', repeated(64, true), zstd),
      /decodes to at least 2097152 b/,
    ],
    [
      'truncated zstd',
      async () => chunkOf('zstd-cut', (await encoded('zstd', samples)).subarray(0, -3), zstd),
      /trunc/,
    ],
    [
      'a bomb of lz4',
      async () =>
        chunkOf('lz4-bomb', withUint32(await encoded('lz4', samples), 0, 2 ** 31), [
          { name: 'lz4', configuration: { acceleration: 1 } },
        ]),
      /decodes to at least 2147483648 bytes/,
    ],
    [
      'a bomb of blosc',
      async () => chunkOf('blosc-bomb', withUint32(await encoded('blosc', samples), 4, 2 ** 31 - 1), blosc),
      /decodes to at least 2147483647 bytes/,
    ],
    [
      'truncated blosc',
      async () => chunkOf('blosc-cut', (await encoded('blosc', samples)).subarray(0, -3), blosc),
      /the chunk has \d+ bytes, and its header \d+/,
    ],
    [
      'a wrong checksum',
      () => chunkOf('sum', Buffer.concat([samples, Buffer.alloc(4)]), [{ name: 'crc32c' }]),
      /"crc32c": the checksum/,
    ],
  ])('with %s are refused', async (_, path, message) => {
    const error = await readError(await path());
    expect(error.code).toBe('IMAGE_UNREADABLE');
    expect(error.message).toMatch(message);
  });

  describe('are decoded in a thread', () => {
    const path = () => chunkOf('threaded', gzipSync(samples), gzip);

    test('and not by the codecs of this one', async () => {
      const own = registry.get('gzip')!;
      registry.set('gzip', () => {
        throw new Error('in this thread');
      });
      try {
        const slide = await openSlide(path());
        expect((await slide.read(window)).data).toEqual(samples);
        await slide.close();
      } finally {
        registry.set('gzip', own);
      }
    });

    test('which starts again where it was ended because it was idle', async () => {
      const slide = await openSlide(path());
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance'] });
      const end = jest.spyOn(Worker.prototype, 'terminate');
      try {
        await slide.read(window);
        jest.advanceTimersByTime(60_000);
        expect(end).toHaveBeenCalledTimes(1);
        expect((await slide.read(window)).data).toEqual(samples);
      } finally {
        jest.useRealTimers();
        end.mockRestore();
      }
    });

    test('whose end is an error of the image', async () => {
      const slide = await openSlide(path());
      const sending = jest.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker) {
        void this.terminate();
      });
      const error = await rejection(slide.read(window)).finally(() => sending.mockRestore());
      expect(error).toMatchObject({
        code: 'IMAGE_UNREADABLE',
        message: expect.stringMatching(/thread .* ended/),
      });
      expect((await slide.read(window)).data).toEqual(samples);
    });

    test('while the index of their shard is read for several windows, the first of which is aborted', async () => {
      const index = Buffer.alloc(64);
      for (let i = 0; i < 4; i++) index.writeBigUInt64LE(1024n, 16 * i + 8);
      for (let i = 0; i < 4; i++) index.writeBigUInt64LE(BigInt(1024 * i), 16 * i);
      const inner = { chunk_shape: [32, 32], codecs: [little], index_codecs: [little] };
      const shard = Buffer.concat([samples, index]);
      const path = chunkOf('shard', shard, [], {
        codecs: [{ name: 'sharding_indexed', configuration: inner }],
      });
      let ranges = true;
      const server = createServer(({ url, method, headers }, response) => {
        const file = join(path, url!);
        const [, begin, end] = (ranges && /=(\d+)-(\d+)/.exec(headers.range ?? '')) || [];
        const stream = createReadStream(file, end ? { start: Number(begin), end: Number(end) } : {});
        stream.on('error', () => response.writeHead(404).end());
        stream.once('open', () => {
          if (method !== 'HEAD') stream.pipe(response);
          else setTimeout(() => response.writeHead(200, { 'content-length': shard.length }).end(), 100);
        });
      }).listen(0, '127.0.0.1');
      try {
        await new Promise((resolve) => server.once('listening', resolve));
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        const slide = await openSlide(url);
        const stop = new AbortController();
        const first = slide.read({ x: 0, y: 0, width: 9, height: 9 }, { signal: stop.signal });
        const second = slide.read({ x: 40, y: 0, width: 9, height: 9 });
        setTimeout(() => stop.abort(new Error('enough')), 50);
        await expect(first).rejects.toThrow('enough');
        expect((await second).data).toEqual(samples.slice(0, 81));
        await slide.close();
        ranges = false;
        expect((await readError(url)).message).toMatch(
          /64 bytes of \/0\/c\/0\/0 were requested, and 4160 received/,
        );
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });

    test('which opens an array again that is read after its slide was closed', async () => {
      const slide = await openSlide(path());
      const reading = slide.read(window);
      await slide.close();
      expect((await reading).data).toEqual(samples);
    });
  });

  test('far larger than the window are not all in memory at a time', async () => {
    const depth = 2 ** 20;
    const path = at('deep.zarr');
    mkdirSync(join(path, '0'), { recursive: true });
    const axes = ['z', 'y', 'x'].map((name) => ({ name }));
    const ome = { version: '0.5', multiscales: [{ axes, datasets: [{ path: '0' }] }] };
    const group = { zarr_format: 3, node_type: 'group', attributes: { ome } };
    writeFileSync(join(path, 'zarr.json'), JSON.stringify(group));
    const array = {
      zarr_format: 3,
      node_type: 'array',
      shape: [depth, 1024, 1024],
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [depth, 8, 8] } },
      chunk_key_encoding: { name: 'default' },
      fill_value: 5,
      codecs: [little],
    };
    writeFileSync(join(path, '0/zarr.json'), JSON.stringify(array));
    const slide = await openSlide(path);
    const before = process.memoryUsage.rss();
    let peak = 0;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 10);
    const { data } = await slide.read({ x: 0, y: 0, width: 64, height: 32 });
    clearInterval(timer);
    expect(data).toEqual(new Uint8Array(64 * 32).fill(5));
    // All 32 chunks have 2 GB.
    expect((peak - before) / 1e6).toBeLessThan(1000);
  });

  test('smaller than usual: a window of thousands equals the image', async () => {
    const image = gradient(150, 140, 1, Uint16Array);
    writeZarr(at('small-chunks.zarr'), [image], { chunk: 2 });
    const slide = await openSlide(at('small-chunks.zarr'));
    const inside = { x: 5, y: 3, width: 141, height: 135 };
    expect(Array.from((await slide.read(inside)).data)).toEqual(cropOf(image, inside));
  });
});

test('a named pipe and a device are refused, and none is waited for', async () => {
  const path = at('special.zarr');
  writeZarr(path, [gradient(64, 64)]);
  const chunk = join(path, '0/c/0/0/0');
  rmSync(chunk);
  execFileSync('mkfifo', [chunk]);
  const slide = await openSlide(path);
  const window = { x: 0, y: 0, width: 9, height: 9 };
  expect((await rejection(slide.read(window))).message).toMatch(/not a regular file/);
  expect(await rejection(openSlide(chunk))).toMatchObject({
    code: 'FILE_UNREADABLE',
    details: { file: chunk },
  });
  rmSync(chunk);
  symlinkSync('/dev/zero', chunk);
  expect((await rejection(slide.read(window))).message).toMatch(/not a regular file/);
  expect((await rejection(openSlide('/dev/zero'))).code).toBe('FILE_UNREADABLE');
});
