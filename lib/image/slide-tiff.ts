import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { type SignalOptions, untilAborted } from '../abort.js';
import { CellrouteError } from '../errors.js';
import { unreadable as unreadableFile } from '../file-errors.js';
import type { CheckedLimits } from './limits.js';
import { cmykToRgb, pickChannels } from './pixels.js';
import type { Selection } from './select.js';
import { greyType, type PixelType, pixelTypeOf, typedView, unreadable } from './sharp.js';
import type { Slide, SlideLevel, SlideWindow } from './slide.js';
import { FileSlide, type LevelWindow } from './slide-file.js';
import { TAG, type TiffDirectory, TiffFile } from './tiff/directory.js';
import { FileBytes } from './tiff/file-bytes.js';
import { PHOTOMETRIC, readLayout, type TiffLayout, unsupported } from './tiff/layout.js';
import { levelsOf, readPages, type TiffPages } from './tiff/pages.js';
import { MAX_NAMED_CHANNELS, type Part, planPages, refuseDamage } from './tiff/read.js';
import type { ImageSource, RawImage } from './types.js';

/** Maximum number of directories: a slide has tens, a stack of slides thousands. */
const MAX_DIRECTORIES = 20_000;
/** Maximum pixels of a TIFF without tiles, in which a window needs all rows above it. */
const MAX_PIXELS_IN_STRIPS = 1e8;
/** Maximum bytes of one decoded tile, because libvips keeps rows of tiles. */
const MAX_TILE_BYTES = 2 ** 26;

const TO_TILES = "vips copy in.tif 'out.tif[tile,pyramid,bigtiff,compression=deflate]'";

/** Page and SubIFD of a level of a channel, for sharp. */
interface LevelPage {
  page: number;
  /** Index among the main page's SubIFDs; undefined for a page itself. */
  subifd?: number;
}

interface TiffLevel extends SlideLevel {
  /** One page for all channels, or one per channel. */
  pages: readonly LevelPage[];
}

interface Layouts {
  levels: readonly TiffLevel[];
  parts: readonly Part[];
  channels: readonly string[];
  source: ImageSource;
}

/** Opens a TIFF file. Its directories are read here; sharp decodes tiles from the path. */
export async function openTiffSlide(
  path: string,
  handle: FileHandle,
  byteLength: number,
  selection: Selection,
  signal: AbortSignal | undefined,
): Promise<Slide> {
  const bytes = new FileBytes(handle, byteLength);
  let layouts: Layouts;
  try {
    layouts = await bytes.parse(() => readLayouts(new TiffFile(bytes, MAX_DIRECTORIES), selection), signal);
  } catch (error) {
    throw refuseDamage(error);
  }
  const slide = new TiffSlide(path, byteLength, layouts, selection.limits);
  await slide.probe(signal);
  return slide;
}

function readLayouts(file: TiffFile, selection: Selection): Layouts {
  const pages = readPages(file);
  // The whole image is never decoded: the other limits apply to windows.
  const { side } = selection.limits;
  const limits = { side, pixels: Infinity, bytes: Infinity, ratio: Infinity };
  const { parts, source, width, height } = planPages(file, pages, { ...selection, limits });
  for (const part of parts) checkPart(part);
  const numbers = parts.map(({ page }) => pages.all.indexOf(page));
  const main: TiffLevel = { width, height, downsample: 1, pages: numbers.map((page) => ({ page })) };
  const smaller = subLevels(file, parts, numbers) ?? pageLevels(file, pages, parts);
  const levels = smaller.map((level) => ({ ...level, downsample: width / level.width }));
  const { sizes, channelNames } = source;
  return {
    levels: [main, ...levels],
    parts,
    channels: Array.from({ length: sizes.channels }, (_, i) => channelNames?.[i] ?? ''),
    source,
  };
}

/** Refuses layouts that can only be decoded as a whole. */
function checkPart({ page, layout, samples: picks = [] }: Part): void {
  const { width, height, samples, bits, tile, planar, orientation } = layout;
  if (page.plane > 0) throw unsupported('its stack in one directory cannot be read by window', TO_TILES);
  if (layout.isLookup) {
    throw unsupported('its palette only displays a channel', 'bfconvert -nolookup in.tif out.ome.tiff');
  }
  if (planar) throw unsupported('its samples lie one after the other', 'tiffcp -p contig in.tif out.tif');
  if (picks.length > 0 && !isGrey(layout) && layout.extraSamples.length > (layout.alpha ? 1 : 0)) {
    throw unsupported(
      `it has ${samples} samples, some of which are colours`,
      'bfconvert in.tif out.ome.tiff',
    );
  }
  if (picks.some((sample) => sample >= MAX_NAMED_CHANNELS)) {
    throw unsupported(
      `channel ${Math.max(...picks)} of its ${samples} interleaved ones cannot be read by window`,
      'bfconvert in.tif out.ome.tiff',
    );
  }
  if (orientation > 1) throw unsupported('it has an orientation tag', 'tiffset -s 274 1 in.tif');
  if (!tile && width * height > MAX_PIXELS_IN_STRIPS) {
    throw unsupported(
      `it has strips and not tiles, and more than ${MAX_PIXELS_IN_STRIPS / 1e6} megapixels: reading a window would decode all rows above it`,
      TO_TILES,
    );
  }
  const bytes = tile ? (tile.width * tile.height * samples * bits) / 8 : 0;
  if (bytes > MAX_TILE_BYTES) {
    throw new CellrouteError(
      'IMAGE_TOO_LARGE',
      `The TIFF has tiles of ${tile!.width} × ${tile!.height} pixels, more than ${MAX_TILE_BYTES} bytes each. To convert it: ${TO_TILES}`,
      { expected: `tiles of at most ${MAX_TILE_BYTES} bytes`, got: `${bytes} bytes` },
    );
  }
}

/** Whether samples are grey channels and not colours. */
const isGrey = ({ photometric }: TiffLayout): boolean =>
  photometric === PHOTOMETRIC.blackIsZero || photometric === PHOTOMETRIC.whiteIsZero;

/** Levels in SubIFDs, as Bio-Formats writes them; undefined if the pages have none. */
function subLevels(
  file: TiffFile,
  parts: readonly Part[],
  numbers: readonly number[],
): Omit<TiffLevel, 'downsample'>[] | undefined {
  const subIfds = parts.map(({ page }) => file.numbers(page.directory, TAG.subIfds) ?? []);
  const count = Math.min(...subIfds.map(({ length }) => length));
  if (count === 0) return undefined;
  const levels: Omit<TiffLevel, 'downsample'>[] = [];
  for (let subifd = 0; subifd < count; subifd++) {
    const sizes = parts.map(({ layout }, i) =>
      levelSize(file, file.directoryAt(subIfds[i]![subifd]!), layout),
    );
    const [size] = sizes;
    if (!size || sizes.some((own) => own?.width !== size.width || own.height !== size.height)) continue;
    levels.push({ ...size, pages: numbers.map((page) => ({ page, subifd })) });
  }
  return levels.sort((a, b) => b.width - a.width);
}

/** Levels in separate pages, as libvips and Aperio scanners write them. */
function pageLevels(
  file: TiffFile,
  pages: TiffPages,
  parts: readonly Part[],
): Omit<TiffLevel, 'downsample'>[] {
  // With several planes it is unknown which one a page is a level of.
  if (parts.length > 1 || pages.planes.length > 1) return [];
  const { page, layout } = parts[0]!;
  return levelsOf(file, pages, page.directory).flatMap((number) => {
    const size = levelSize(file, pages.all[number]!.directory, layout);
    return size ? [{ ...size, pages: [{ page: number }] }] : [];
  });
}

/** The size of a level; undefined if its samples differ from those of the main page. */
function levelSize(
  file: TiffFile,
  directory: TiffDirectory,
  main: TiffLayout,
): { width: number; height: number } | undefined {
  const { width, height, samples, bits, format, planar } = readLayout(file, directory);
  const isSame = samples === main.samples && bits === main.bits && format === main.format && !planar;
  return isSame && width < main.width && height <= main.height ? { width, height } : undefined;
}

class TiffSlide extends FileSlide {
  readonly #path: string;
  readonly #byteLength: number;
  readonly #levels: readonly TiffLevel[];
  readonly #parts: readonly Part[];
  #failOn: SharpOptions['failOn'] = 'warning';
  #type!: PixelType;

  constructor(
    path: string,
    byteLength: number,
    { levels, parts, channels, source }: Layouts,
    limits: CheckedLimits,
  ) {
    super({
      name: basename(path),
      levels: levels.map(({ width, height, downsample }) => ({ width, height, downsample })),
      channels,
      source,
      limits,
    });
    this.#path = path;
    this.#byteLength = byteLength;
    this.#levels = levels;
    this.#parts = parts;
  }

  /** Decodes a pixel of each level, so that unreadable files are refused when the slide is opened. */
  async probe(signal: AbortSignal | undefined): Promise<void> {
    const [part] = this.#parts as [Part];
    const { layout, samples } = part;
    const [page] = this.#levels[0]!.pages as [LevelPage];
    const metadata = await this.#open(page)
      .metadata()
      .catch((error: unknown) => {
        throw unreadable('TIFF', error);
      });
    this.#type =
      samples && isGrey(layout)
        ? greyType(layout.bits, layout.format === 'float')
        : pixelTypeOf('TIFF', metadata);
    const pixel = { x: 0, y: 0, width: 1, height: 1 };
    try {
      await this.read(pixel, { signal });
    } catch (error) {
      if (!(error instanceof CellrouteError) || error.code !== 'IMAGE_UNREADABLE') throw error;
      // Scanners write tags that cause warnings of libtiff. Damage is then only detected by errors.
      this.#failOn = 'error';
    }
    for (const level of this.#levels.keys()) await this.read({ ...pixel, level }, { signal });
  }

  protected bytesPerSample(): number {
    return this.#type.array.BYTES_PER_ELEMENT;
  }

  protected async readChannels(
    { level, ...rect }: LevelWindow,
    signal: AbortSignal | undefined,
  ): Promise<RawImage['data'][]> {
    const values: RawImage['data'][] = [];
    for (const [i, page] of this.#levels[level]!.pages.entries()) {
      values.push(...(await untilAborted(this.#decodePart(this.#parts[i]!, page, rect), signal)));
    }
    return values;
  }

  async fingerprint({ signal }: SignalOptions = {}): Promise<string> {
    const handle = await open(this.#path).catch(unreadableFile(this.#path));
    try {
      const hash = createHash('sha256').update(String(this.#byteLength));
      const block = Buffer.alloc(Math.min(1 << 16, this.#byteLength));
      for (let i = 0; i < FINGERPRINT_BLOCKS; i++) {
        signal?.throwIfAborted();
        const at = Math.floor(((this.#byteLength - block.length) * i) / (FINGERPRINT_BLOCKS - 1));
        const { bytesRead } = await handle.read(block, 0, block.length, at);
        hash.update(block.subarray(0, bytesRead));
      }
      const { page, z = 0, t = 0, channels } = this.source;
      return hash.update(JSON.stringify([page, z, t, channels])).digest('hex');
    } catch (error) {
      return unreadableFile(this.#path, signal)(error);
    } finally {
      await handle.close();
    }
  }

  #open({ page, subifd }: LevelPage): Sharp {
    return sharp(this.#path, {
      failOn: this.#failOn!,
      ignoreIcc: true,
      // Checked here, where the refusal can name the numbers
      limitInputPixels: false,
      limitInputChannels: false,
      page,
      pages: 1,
      ...(subifd !== undefined && { subifd }),
    });
  }

  /** The channels of a part: interleaved ones together, chosen samples separately. */
  async #decodePart(
    { layout, samples }: Part,
    page: LevelPage,
    rect: Omit<SlideWindow, 'level'>,
  ): Promise<RawImage['data'][]> {
    if (!samples) return [await this.#decode(page, rect)];
    const values: RawImage['data'][] = [];
    if (isGrey(layout)) {
      for (const sample of samples) values.push(await this.#decode(page, rect, sample));
      return values;
    }
    const colours = await this.#decode(page, rect);
    return [await pickChannels(colours, colours.length / (rect.width * rect.height), samples)];
  }

  async #decode(
    page: LevelPage,
    { x, y, width, height }: Omit<SlideWindow, 'level'>,
    sample?: number,
  ): Promise<RawImage['data']> {
    const { space, depth, array } = this.#type;
    try {
      const window = this.#open(page).extract({ left: x, top: y, width, height });
      const image = (
        sample === undefined ? window.removeAlpha() : window.extractChannel(sample as 0 | 1 | 2 | 3)
      )
        // Without these two sharp turns everything into 8-bit sRGB
        .toColourspace(space)
        .raw({ depth });
      if (space === 'cmyk') image.pipelineColourspace('cmyk');
      const data = typedView(await image.toBuffer(), array);
      return space === 'cmyk' ? await cmykToRgb(data as Uint8Array) : data;
    } catch (error) {
      throw unreadable('TIFF', error);
    }
  }
}

/** Number of blocks of a file in its fingerprint. */
const FINGERPRINT_BLOCKS = 33;
