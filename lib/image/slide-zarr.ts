import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { type SignalOptions, untilAborted } from '../abort.js';
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { inParts, PART_VALUES } from '../in-parts.js';
import { checkSize } from './limits.js';
import { channelsNeeded, checkAxis, resolveChannels, type Selection } from './select.js';
import type { Slide } from './slide.js';
import { FileSlide, type LevelWindow } from './slide-file.js';
import type { RawImage } from './types.js';
import { type Multiscale, readMultiscale } from './zarr-metadata.js';
import {
  loadZarrita,
  type MetadataStore,
  reasonOf,
  type Sample,
  storeAt,
  type ZarrArray,
  type Zarrita,
} from './zarr-store.js';
import { type ArrayToRead, zarrThread } from './zarr-thread.js';

/** Maximum bytes of one decoded chunk, and of those that a window has in memory at a time. */
const MAX_CHUNK_BYTES = 2 ** 28;
/** Chunks of a window that are read at a time, if they are small. */
const CHUNKS_AT_A_TIME = 32;
/** The smallest level is part of the fingerprint if it has at most this number of pixels. */
const MAX_HASHED_PIXELS = 2 ** 22;

const arrays = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array } as const satisfies Record<
  Sample,
  unknown
>;
const isSample = (type: string): type is Sample => type in arrays;

/** An OME-Zarr image in a folder or behind HTTP. */
export async function openZarrSlide(
  place: string | URL,
  selection: Selection,
  signal: AbortSignal | undefined,
): Promise<Slide> {
  const where = String(place);
  if (selection.page) throw refuse('page', '0, as an OME-Zarr image has no pages', selection.page);
  const zarrita = await loadZarrita();
  const store = storeAt(zarrita, place);
  const read = async <T>(work: Promise<T>): Promise<T> =>
    untilAborted(work, signal).catch((error: unknown) => {
      throw unreadable(where, error, signal);
    });
  const group = await read(openImage(zarrita, store, where, signal));
  const multiscale = readMultiscale(group.attrs, where);
  const levels: ZarrLevel[] = [];
  for (const path of multiscale.paths) {
    const open = async () => zarrita.open(group.resolve(path), { kind: 'array', ...(signal && { signal }) });
    const opened = open().catch((error: unknown) => {
      if (!zarrita.isZarritaError(error, 'NotFoundError')) throw error;
      throw damaged(where, `its metadata name the array ${path}, which is not there`, error);
    });
    const array = (await read(opened)) as import('zarrita').Array<never, MetadataStore>;
    const checked = checkArray(array, multiscale, where);
    levels.push({ ...checked, toRead: zarrThread.add(array) });
  }
  return new ZarrSlide({ name: nameOf(place), where }, levels, multiscale, selection);
}

interface ZarrLevel {
  array: ZarrArray;
  toRead: ArrayToRead;
  width: number;
  height: number;
}

type ZarrGroup = import('zarrita').Group<MetadataStore>;

/** Opens the group of the image: at the location itself, or the first image of a bioformats2raw collection. */
async function openImage(
  zarrita: Zarrita,
  store: MetadataStore,
  where: string,
  signal: AbortSignal | undefined,
): Promise<ZarrGroup> {
  const options = { kind: 'group' as const, ...(signal && { signal }) };
  const root = zarrita.root(store);
  const group = (await zarrita.open(root, options).catch((error: unknown) => {
    if (!zarrita.isZarritaError(error, 'NotFoundError')) throw error;
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      `${where} is no OME-Zarr image: it has no group (zarr.json or .zgroup)`,
      { file: where, expected: 'an OME-Zarr image' },
    );
  })) as ZarrGroup;
  const { ome = group.attrs } = group.attrs as { ome?: Record<string, unknown> };
  const attributes = ome as Record<string, unknown>;
  if (attributes['bioformats2raw.layout'] === undefined || attributes.multiscales !== undefined) return group;
  return (await zarrita.open(root.resolve('0'), options)) as ZarrGroup;
}

/** The last part of a path or URL. */
function nameOf(place: string | URL): string {
  if (typeof place === 'string') return basename(place);
  const name = basename(place.pathname);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function checkArray(
  array: import('zarrita').Array<never, MetadataStore>,
  { axes }: Multiscale,
  where: string,
): Omit<ZarrLevel, 'toRead'> {
  const { shape, chunks } = array;
  // zarrita does not check them.
  if (!Array.isArray(shape) || !Array.isArray(chunks) || shape.length !== chunks.length) {
    throw damaged(where, 'the shapes of an array and its chunks do not fit');
  }
  const type = array.dtype as string;
  if (!isSample(type)) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      `The OME-Zarr image cannot be used: its samples are ${type}; uint8, uint16 and float32 are read`,
      { file: where, expected: 'uint8, uint16 or float32', got: type },
    );
  }
  if (shape.length !== axes.length)
    throw damaged(where, `its axes are ${axes.join('')} and an array has ${shape.length}`);
  if (![...shape, ...chunks].every((length) => Number.isSafeInteger(length) && length >= 1)) {
    throw damaged(where, 'an array has no size');
  }
  const bytes = chunks.reduce((product, length) => product * length, arrays[type].BYTES_PER_ELEMENT);
  if (bytes > MAX_CHUNK_BYTES) {
    throw new CellrouteError(
      'IMAGE_TOO_LARGE',
      `The OME-Zarr image has chunks of ${chunks.join(' × ')} samples, more than ${MAX_CHUNK_BYTES} bytes each`,
      { file: where, expected: `chunks of at most ${MAX_CHUNK_BYTES} bytes`, got: `${bytes} bytes` },
    );
  }
  return {
    array,
    width: shape[axes.indexOf('x')]!,
    height: shape[axes.indexOf('y')]!,
  };
}

class ZarrSlide extends FileSlide {
  readonly #where: string;
  readonly #kept: readonly ZarrLevel[];
  readonly #multiscale: Multiscale;

  constructor(
    { name, where }: { name: string; where: string },
    levels: readonly ZarrLevel[],
    multiscale: Multiscale,
    selection: Selection,
  ) {
    const { axes, pixelSize, channelNames } = multiscale;
    const [main] = levels as [ZarrLevel];
    const { width, height, array } = main;
    const { side } = selection.limits;
    checkSize(
      { width, height, bytesPerPixel: 1 },
      { side, pixels: Infinity, bytes: Infinity, ratio: Infinity },
    );
    const sizeOf = (axis: 'c' | 'z' | 't') => (axes.includes(axis) ? array.shape[axes.indexOf(axis)]! : 1);
    const sizes = { channels: sizeOf('c'), z: sizeOf('z'), t: sizeOf('t') };
    const names = channelNames.length === sizes.channels ? channelNames : undefined;
    if (selection.channels === undefined && sizes.channels > 1) {
      throw channelsNeeded('OME-Zarr image', sizes.channels, names);
    }
    const channels = resolveChannels(selection.channels ?? [0], sizes.channels, names);
    const kept = levels.filter((level) => level === main || (level.width < width && level.height <= height));
    const at = (key: 'z' | 't') =>
      checkAxis(
        key,
        selection[key],
        axes.includes(key) || selection[key] === 0 ? sizes[key] : undefined,
        'the image',
      );
    super({
      name,
      levels: kept.map((level) => ({
        width: level.width,
        height: level.height,
        downsample: width / level.width,
      })),
      channels: Array.from({ length: sizes.channels }, (_, i) => names?.[i] ?? ''),
      source: {
        format: 'OME-Zarr',
        page: 0,
        pages: [0],
        z: at('z'),
        t: at('t'),
        channels,
        sizes,
        ...(names?.some((name) => name !== '') && { channelNames: names }),
        ...(pixelSize !== undefined && { pixelSize }),
        notices: (['z', 't'] as const).flatMap((key) =>
          selection[key] === undefined && sizes[key] > 1
            ? [`it has ${sizes[key]} planes along ${key}; ${key} 0 was read (choose with ${key})`]
            : [],
        ),
      },
      limits: selection.limits,
    });
    this.#where = where;
    this.#kept = kept;
    this.#multiscale = multiscale;
  }

  protected bytesPerSample(level: number): number {
    return arrays[this.#kept[level]!.array.dtype].BYTES_PER_ELEMENT;
  }

  protected async readChannels(
    window: LevelWindow,
    signal: AbortSignal | undefined,
  ): Promise<RawImage['data'][]> {
    return untilAborted(this.#readChunks(window, signal), signal).catch((error: unknown) => {
      throw unreadable(this.#where, error, signal);
    });
  }

  async #readChunks(window: LevelWindow, signal: AbortSignal | undefined): Promise<RawImage['data'][]> {
    const { array, toRead } = this.#kept[window.level]!;
    const { chunks, dtype } = array;
    const { axes } = this.#multiscale;
    const { channels, z = 0, t = 0 } = this.source;
    const samples = chunks.reduce((product, length) => product * length, 1);
    const chunkBytes = samples * arrays[dtype].BYTES_PER_ELEMENT;
    const atATime = Math.max(1, Math.min(CHUNKS_AT_A_TIME, Math.floor(MAX_CHUNK_BYTES / chunkBytes)));
    const values = channels.map(() => new arrays[dtype](window.width * window.height));
    const lengthOf = (axis: 'c' | 'y' | 'x') => chunks[axes.indexOf(axis)] ?? 1;
    const chunkOf = (channel: number) => Math.floor(channel / lengthOf('c'));
    const readPart = async (part: Part, chunkIndex: number) => {
      const at = { z, t, c: chunkIndex * lengthOf('c'), y: part.y, x: part.x };
      const coordinates = axes.map((axis, i) => Math.floor(at[axis] / chunks[i]!));
      const chunk = await zarrThread.read(toRead, coordinates, signal);
      const got = chunk.data.length;
      // zarrita does not check it.
      if (got !== samples) {
        throw new Error(
          `the chunk ${coordinates.join('/')} has ${got} samples, and its shape has ${samples}`,
        );
      }
      const [row, column] = [chunk.stride[axes.indexOf('y')]!, chunk.stride[axes.indexOf('x')]!];
      for (const [i, channel] of channels.entries()) {
        if (chunkOf(channel) !== chunkIndex) continue;
        const place = { ...at, c: channel };
        const begin = axes.reduce((sum, axis, k) => sum + (place[axis] % chunks[k]!) * chunk.stride[k]!, 0);
        const to = values[i]!.subarray((part.y - window.y) * window.width + part.x - window.x);
        await copyRows(
          { data: chunk.data.subarray(begin), row, column },
          { data: to, row: window.width },
          part,
          () => signal?.throwIfAborted(),
        );
      }
    };
    function* reads() {
      // A chunk may have several channels.
      const chunkIndices = new Set(channels.map(chunkOf));
      for (const part of partsOf(window, lengthOf('x'), lengthOf('y'))) {
        for (const chunkIndex of chunkIndices) yield [part, chunkIndex] as const;
      }
    }
    const all = reads();
    // A failure ends the generator for all.
    const work = async () => {
      for (const [part, chunkIndex] of all) await readPart(part, chunkIndex);
    };
    await Promise.all(Array.from({ length: atATime }, work));
    return values;
  }

  override async close(): Promise<void> {
    await super.close();
    for (const { toRead } of this.#kept) zarrThread.close(toRead);
  }

  async fingerprint(options: SignalOptions = {}): Promise<string> {
    const hash = createHash('sha256').update(
      JSON.stringify([
        this.#multiscale,
        this.#kept.map(({ array: { shape, chunks, dtype } }) => [shape, chunks, dtype]),
        this.source.channels,
        { z: this.source.z, t: this.source.t },
      ]),
    );
    const level = this.levels.length - 1;
    const { width, height } = this.levels[level]!;
    if (width * height <= MAX_HASHED_PIXELS) {
      const { data } = await this.read({ x: 0, y: 0, width, height, level }, options);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    return hash.digest('hex');
  }
}

interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The parts of a window between multiples of two steps. */
function* partsOf({ x, y, width, height }: Part, stepX: number, stepY: number): Generator<Part> {
  for (let top = y; top < y + height; ) {
    const bottom = Math.min(y + height, (Math.floor(top / stepY) + 1) * stepY);
    for (let left = x; left < x + width; ) {
      const right = Math.min(x + width, (Math.floor(left / stepX) + 1) * stepX);
      yield { x: left, y: top, width: right - left, height: bottom - top };
      left = right;
    }
    top = bottom;
  }
}

/** Copies rows of samples, in parts. A chunk of an array in another order has its columns apart. */
async function copyRows(
  from: { data: RawImage['data']; row: number; column: number },
  to: { data: RawImage['data']; row: number },
  { width, height }: Part,
  check: () => void,
): Promise<void> {
  const rowsAtATime = Math.max(1, Math.floor(PART_VALUES / width));
  await inParts(
    height,
    rowsAtATime,
    (begin, end) => {
      for (let row = begin; row < end; row++) {
        const [source, target] = [row * from.row, row * to.row];
        if (from.column === 1) to.data.set(from.data.subarray(source, source + width), target);
        else {
          for (let x = 0; x < width; x++) to.data[target + x] = from.data[source + x * from.column]!;
        }
      }
    },
    check,
  );
}

function unreadable(where: string, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return error instanceof CellrouteError ? error : damaged(where, reasonOf(error), error);
}

const damaged = (where: string, got: string, cause?: unknown): CellrouteError =>
  new CellrouteError(
    'IMAGE_UNREADABLE',
    `The OME-Zarr image cannot be read: ${got}`,
    { file: where, got },
    cause === undefined ? {} : { cause },
  );
