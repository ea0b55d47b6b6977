import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AbsolutePath } from 'zarrita';
import { checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { unwritable } from '../file-errors.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { LabelTiles } from '../mask/label-tiles.js';
import { makeFolder } from '../weights/atomic.js';
import { storedZip } from '../weights/stored-zip.js';
import { cellClasses } from './cell-class.js';
import { checkResult } from './named.js';
import { shortest } from './text.js';

/** Options of {@link omeZarrFiles}. */
export interface OmeZarrOptions {
  /** Micrometres per pixel. Default: what the image's file states, if anything. */
  pixelSize?: number | undefined;
  /** Name of the image. Default: the name in the result. */
  name?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A file of a folder. */
export interface FolderFile {
  /** Path below the folder, with `/`. */
  name: string;
  bytes: Uint8Array;
}

/** Pixels per side of a chunk; the last level of the pyramid fits into one. */
const CHUNK = 512;
/** Each cell takes about 60 bytes of JSON, which viewers read as a whole. */
const MAX_PROPERTIES = 65_535;

type Labels = Uint16Array | Uint32Array;

/**
 * A label image as OME-Zarr 0.5, file by file: 0 is background, k is cell k in the order of the result. It is a
 * multiscale image with `image-label` metadata, whose levels are reduced by two each, and lies at the root: save it as
 * `NAME.ome.zarr`, or below an image as `IMAGE.ome.zarr/labels/NAME`. 16 bits, or 32 bits for more than 65,535 cells.
 *
 * Class and score of each cell are among the properties, for up to 65,535 cells. No more than a row of chunks per level
 * is in memory.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export async function* omeZarrFiles(
  result: Segmentation | RoutedSegmentation,
  options: OmeZarrOptions = {},
): AsyncGenerator<FolderFile, void, undefined> {
  const { cells, width, height } = checkResult('result', result);
  checkKeys('', checkObject('options', options), ['pixelSize', 'name', 'signal']);
  const pixelSize = options.pixelSize ?? result.source?.pixelSize;
  if (pixelSize !== undefined && !(checkNumber('pixelSize', pixelSize) > 0)) {
    throw refuse('pixelSize', 'a number above 0', pixelSize);
  }
  const name = checkString('name', options.name ?? result.name ?? 'cells');
  // An ES module, which CommonJS of Node.js 20 imports only so.
  const zarr = await import('zarrita');
  const bits = cells.length > 0xffff ? 32 : 16;
  const sizes = levelSizes(width, height);
  const files: FolderFile[] = [];
  const store = {
    get: async () => undefined,
    set: async (path: AbsolutePath, bytes: Uint8Array) => {
      files.push({ name: path.slice(1), bytes });
    },
  };
  await zarr.create(zarr.root(store), { attributes: attributesOf(result, sizes.length, pixelSize, name) });
  const arrays = [];
  for (const [level, size] of sizes.entries()) {
    const array = await zarr.create(zarr.root(store).resolve(String(level)), {
      shape: [size.height, size.width],
      chunkShape: [CHUNK, CHUNK],
      dtype: bits === 16 ? 'uint16' : 'uint32',
      // zarr-python refuses an array without one.
      fillValue: 0,
      dimensionNames: ['y', 'x'],
      codecs: [
        { name: 'bytes', configuration: { endian: 'little' } },
        { name: 'zstd', configuration: { level: 3, checksum: false } },
      ],
    });
    arrays.push(array);
  }
  yield* files.splice(0);
  for (const { level, x, y, rows, labels } of chunks(new Pyramid(result, sizes, bits))) {
    options.signal?.throwIfAborted();
    const columns = labels.length / rows;
    const region = [zarr.slice(y, y + rows), zarr.slice(x, x + columns)];
    // The types of the arrays differ between 16 and 32 bits; data and array have the same.
    await zarr.set(arrays[level]!, region, {
      data: labels as Uint16Array<ArrayBuffer>,
      shape: [rows, columns],
      stride: [columns, 1],
    });
    yield* files.splice(0);
  }
}

/** {@link omeZarrFiles} as one file, a zip that zarr's `ZipStore` opens (`NAME.ozx`). */
export function omeZarrZip(
  result: Segmentation | RoutedSegmentation,
  options: OmeZarrOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  return storedZip(omeZarrFiles(result, options));
}

/**
 * Writes {@link omeZarrFiles} into a folder, which is created. If it cannot be written as a whole, it is removed.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; FILE_UNWRITABLE, if the folder exists or cannot be written.
 */
export async function writeOmeZarr(
  result: Segmentation | RoutedSegmentation,
  folder: string,
  options: OmeZarrOptions = {},
): Promise<void> {
  checkString('folder', folder);
  await makeFolder(dirname(folder));
  await mkdir(folder).catch(unwritable(folder));
  try {
    for await (const { name, bytes } of omeZarrFiles(result, options)) {
      const path = join(folder, name);
      await makeFolder(dirname(path));
      await writeFile(path, bytes).catch(unwritable(path));
    }
  } catch (error) {
    // Without its last chunks it would be read as if these had no cells.
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

interface LevelSize {
  width: number;
  height: number;
}

function levelSizes(width: number, height: number): LevelSize[] {
  const sizes = [{ width, height }];
  for (let last = sizes[0]!; Math.max(last.width, last.height) > CHUNK; last = sizes.at(-1)!) {
    sizes.push({ width: Math.ceil(last.width / 2), height: Math.ceil(last.height / 2) });
  }
  return sizes;
}

function attributesOf(
  result: Segmentation | RoutedSegmentation,
  levels: number,
  pixelSize: number | undefined,
  name: string,
) {
  const unit = pixelSize === undefined ? {} : { unit: 'micrometer' };
  const classOf = cellClasses(result);
  const properties =
    result.cells.length > MAX_PROPERTIES
      ? []
      : result.cells.map((cell) => ({
          'label-value': cell.index + 1,
          class: classOf(cell).name,
          score: shortest(cell.score),
        }));
  return {
    ome: {
      version: '0.5',
      multiscales: [
        {
          name,
          axes: ['y', 'x'].map((axis) => ({ name: axis, type: 'space', ...unit })),
          // Each level has every second pixel of the one before it, from the first on: their centres need no shift.
          datasets: Array.from({ length: levels }, (_, level) => {
            // Without a size, in pixels of a slide's full resolution.
            const scale = (pixelSize ?? result.slide?.downsample ?? 1) * 2 ** level;
            return {
              path: String(level),
              coordinateTransformations: [{ type: 'scale', scale: [scale, scale] }],
            };
          }),
        },
      ],
      'image-label': { version: '0.5', ...(properties.length > 0 && { properties }) },
    },
  };
}

/** Labels of a part of a level. */
interface Chunk {
  level: number;
  x: number;
  y: number;
  rows: number;
  labels: Labels;
}

/** Rows of chunks of each level above the first, filled while the level below is written. */
class Pyramid {
  readonly tiles: LabelTiles;
  readonly #bands: Labels[];

  constructor(
    result: Segmentation,
    readonly sizes: readonly LevelSize[],
    bits: 16 | 32,
  ) {
    this.tiles = new LabelTiles(result.cells.masks, { width: CHUNK, height: CHUNK }, bits);
    this.#bands = sizes.map(({ width }, level) => {
      const length = level === 0 ? 0 : width * CHUNK;
      return bits === 16 ? new Uint16Array(length) : new Uint32Array(length);
    });
  }

  /** The chunk of a level: of the first one made from the masks, of others from what was reduced. */
  chunk(level: number, column: number, row: number): Chunk {
    const { width, height } = this.sizes[level]!;
    const [x, y] = [column * CHUNK, row * CHUNK];
    const [columns, rows] = [Math.min(CHUNK, width - x), Math.min(CHUNK, height - y)];
    const source = level === 0 ? this.tiles.tile(column, row) : this.#bands[level]!;
    const [stride, left] = level === 0 ? [CHUNK, 0] : [width, x];
    const labels = source.slice(0, columns * rows);
    for (let i = 0; i < rows; i++) {
      labels.set(source.subarray(i * stride + left, i * stride + left + columns), i * columns);
    }
    return { level, x, y, rows, labels };
  }

  /** Puts every second pixel of a chunk into the level above. */
  reduce({ level, x, y, rows, labels }: Chunk): void {
    const above = this.sizes[level + 1];
    if (!above) return;
    const band = this.#bands[level + 1]!;
    const columns = labels.length / rows;
    for (let i = 0; i < rows; i += 2) {
      const to = (((y + i) / 2) % CHUNK) * above.width + x / 2;
      for (let j = 0; j < columns; j += 2) band[to + j / 2] = labels[i * columns + j]!;
    }
  }
}

/** Chunks that have a cell, level by level as their rows become complete. */
function* chunks(pyramid: Pyramid): Generator<Chunk, void, undefined> {
  const rowsOf = (level: number) => Math.ceil(pyramid.sizes[level]!.height / CHUNK);
  function* rowOf(level: number, row: number): Generator<Chunk, void, undefined> {
    for (let column = 0; column * CHUNK < pyramid.sizes[level]!.width; column++) {
      const chunk = pyramid.chunk(level, column, row);
      pyramid.reduce(chunk);
      // Chunks that are missing are read as zeros.
      if (chunk.labels.some((label) => label !== 0)) yield chunk;
    }
    const isLast = row === rowsOf(level) - 1;
    if (level + 1 < pyramid.sizes.length && (row % 2 === 1 || isLast)) yield* rowOf(level + 1, row >> 1);
  }
  for (let row = 0; row < rowsOf(0); row++) yield* rowOf(0, row);
}
