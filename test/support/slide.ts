import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RawImage } from '../../lib/index.js';

/** A folder that is removed when the test file ends. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-slide-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An image whose values tell their place and channel. */
export function gradient(
  width: number,
  height: number,
  channels: 1 | 3 | 4 = 1,
  array: Uint8ArrayConstructor | Uint16ArrayConstructor | Float32ArrayConstructor = Uint8Array,
): RawImage {
  const data = new array(width * height * channels);
  for (let i = 0, y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) data[i++] = (x * 7 + y * 13 + c * 101 + ((x * y) >> 3)) % 251;
    }
  }
  return { data, width, height, channels };
}

/** A window of an image in memory, pixel by pixel. */
export function cropOf(
  { data, width, channels }: RawImage,
  window: { x: number; y: number; width: number; height: number },
  picks: readonly number[] = Array.from({ length: channels }, (_, c) => c),
): number[] {
  const values: number[] = [];
  for (let y = window.y; y < window.y + window.height; y++) {
    for (let x = window.x; x < window.x + window.width; x++) {
      for (const c of picks) values.push(data[(y * width + x) * channels + c]!);
    }
  }
  return values;
}

export interface ZarrOptions {
  version?: '0.4' | '0.5';
  chunk?: number;
  /** Of the axes before y and x. */
  names?: readonly string[];
  unit?: string;
  scale?: readonly number[];
  /** Further attributes of the group, at the place where its version has them. */
  more?: object;
}

/**
 * Writes an OME-Zarr image without compression: the bytes of each chunk as they are. `levels` are [C, Y, X] images of
 * interleaved channels, the largest first.
 */
export function writeZarr(folder: string, levels: readonly RawImage[], options: ZarrOptions = {}): void {
  const {
    version = '0.5',
    chunk = 64,
    names = [],
    unit = 'micrometer',
    scale = [1, 0.5, 0.5],
    more = {},
  } = options;
  const put = (key: string, content: object | Uint8Array) => {
    const path = join(folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content instanceof Uint8Array ? content : JSON.stringify(content));
  };
  const is4 = version === '0.4';
  const multiscales = [
    {
      ...(is4 && { version }),
      axes: [
        { name: 'c', type: 'channel' },
        { name: 'y', type: 'space', unit },
        { name: 'x', type: 'space', unit },
      ],
      datasets: levels.map(({ width }, i) => ({
        path: String(i),
        coordinateTransformations: [
          { type: 'scale', scale: scale.map((s, axis) => (axis === 0 ? s : (s * levels[0]!.width) / width)) },
        ],
      })),
    },
  ];
  const omero = { channels: names.map((label) => ({ label })) };
  const ome = { ...(!is4 && { version }), multiscales, ...(names.length > 0 && { omero }), ...more };
  if (is4) {
    put('.zgroup', { zarr_format: 2 });
    put('.zattrs', ome);
  } else put('zarr.json', { zarr_format: 3, node_type: 'group', attributes: { ome } });
  for (const [level, image] of levels.entries()) {
    const { data, width, height, channels } = image;
    const shape = [channels, height, width];
    const chunks = [1, chunk, chunk];
    const bytes = data.BYTES_PER_ELEMENT;
    const type = data instanceof Float32Array ? 'float32' : bytes === 2 ? 'uint16' : 'uint8';
    if (is4) {
      const dtype = { float32: '<f4', uint16: '<u2', uint8: '|u1' }[type];
      put(`${level}/.zarray`, {
        zarr_format: 2,
        shape,
        chunks,
        dtype,
        compressor: null,
        fill_value: 0,
        order: 'C',
        filters: null,
        dimension_separator: '/',
      });
    } else {
      put(`${level}/zarr.json`, {
        zarr_format: 3,
        node_type: 'array',
        shape,
        data_type: type,
        chunk_grid: { name: 'regular', configuration: { chunk_shape: chunks } },
        chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
        fill_value: 0,
        codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
        attributes: {},
      });
    }
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y += chunk) {
        for (let x = 0; x < width; x += chunk) {
          const values = new (data.constructor as new (length: number) => RawImage['data'])(chunk * chunk);
          for (let j = 0; j < chunk && y + j < height; j++) {
            for (let i = 0; i < chunk && x + i < width; i++) {
              values[j * chunk + i] = data[((y + j) * width + x + i) * channels + c]!;
            }
          }
          const key = `${level}/${is4 ? '' : 'c/'}${c}/${y / chunk}/${x / chunk}`;
          put(key, new Uint8Array(values.buffer));
        }
      }
    }
  }
}
