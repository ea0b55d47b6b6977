import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { checkBoolean, checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import type { Segmentation } from '../inference/result.js';
import { LabelTiles } from '../mask/label-tiles.js';
import { checkResult } from './named.js';
import { type TiffTag, tiffHead } from './tiff-directory.js';

/** Options of {@link labelTiff} and {@link omeTiff}. */
export interface LabelTiffOptions {
  /**
   * Tiles of 512 × 512 pixels, of which programs read only what they show, or strips, which every program reads; ImageJ
   * opens tiles with Bio-Formats only. Default: tiles for images of more than 8192 × 8192 pixels.
   */
  tiles?: boolean | undefined;
  /** Micrometres per pixel. Default: what the image's file states, if anything. */
  pixelSize?: number | undefined;
  /** Name of the image in an OME-TIFF. Default: the name in the result. */
  name?: string | undefined;
  signal?: AbortSignal | undefined;
}

const TILE = 512;
/** Approximate size of a strip in bytes before compression. */
const STRIP_BYTES = 1 << 18;
const MAX_PIXELS_IN_STRIPS = 8192 * 8192;

const compress = promisify(deflate);

/**
 * A label image as TIFF, compressed with deflate: 0 is background, k is cell k in the order of the result. 16 bits, or 32
 * bits for more than 65,535 cells. Where cells overlap, the first one has the pixel. The file is a BigTIFF above 4 GiB.
 *
 * The pixel size is written as ImageJ does. Compressed tiles are kept until all are there, which takes about one
 * hundredth of the memory of the image; the image as a whole never exists.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function labelTiff(
  result: Segmentation,
  options: LabelTiffOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  return tiff(result, options, (_, { pixelSize }) => {
    const unit = pixelSize === undefined ? [] : ['unit=um'];
    return {
      description: ['ImageJ=1.11a', ...unit, ''].join('\n'),
      // ImageJ's convention: pixels per unit of the description.
      resolution: pixelSize === undefined ? undefined : { perUnit: 1 / pixelSize, unit: 1 },
    };
  });
}

/**
 * {@link labelTiff} with the size of its pixels and its name in OME-XML.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function omeTiff(
  result: Segmentation,
  options: LabelTiffOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  return tiff(result, options, ({ width, height, bits }, { pixelSize, name }) => {
    // XML has no control characters, not even escaped.
    const escaped = name
      .replaceAll(/\p{Cc}/gu, '\uFFFD')
      .replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
    const size =
      pixelSize === undefined
        ? ''
        : ` PhysicalSizeX="${pixelSize}" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="${pixelSize}" PhysicalSizeYUnit="&#181;m"`;
    const schema = 'http://www.openmicroscopy.org/Schemas/OME/2016-06';
    return {
      description:
        `<?xml version="1.0" encoding="UTF-8"?><OME xmlns="${schema}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
        `xsi:schemaLocation="${schema} ${schema}/ome.xsd" Creator="cellroute">` +
        `<Image ID="Image:0" Name="${escaped}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint${bits}" BigEndian="false" ` +
        `SizeX="${width}" SizeY="${height}" SizeC="1" SizeZ="1" SizeT="1"${size}>` +
        '<Channel ID="Channel:0:0" Name="cells" SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="1"/>' +
        '</Pixels></Image></OME>',
      // Pixels per centimetre.
      resolution: pixelSize === undefined ? undefined : { perUnit: 10_000 / pixelSize, unit: 3 },
    };
  });
}

interface Layout {
  width: number;
  height: number;
  bits: 16 | 32;
}

interface Description {
  description: string;
  resolution: { perUnit: number; unit: 1 | 3 } | undefined;
}

async function* tiff(
  result: Segmentation,
  options: LabelTiffOptions,
  describe: (layout: Layout, options: { pixelSize: number | undefined; name: string }) => Description,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { width, height, cells } = checkResult('result', result);
  checkKeys('', checkObject('options', options), ['tiles', 'pixelSize', 'name', 'signal']);
  const tiled = checkBoolean('tiles', options.tiles ?? width * height > MAX_PIXELS_IN_STRIPS);
  const pixelSize = options.pixelSize ?? result.source?.pixelSize;
  if (pixelSize !== undefined && !(checkNumber('pixelSize', pixelSize) > 0)) {
    throw refuse('pixelSize', 'a number above 0', pixelSize);
  }
  const name = checkString('name', options.name ?? result.name ?? 'image');
  const bits = cells.length > 0xffff ? 32 : 16;
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP_BYTES / (width * (bits / 8)))));
  const tile = tiled ? { width: TILE, height: TILE } : { width, height: rows };
  const tiles = new LabelTiles(cells.masks, tile, bits);
  const parts: Buffer[] = [];
  for (let row = 0; row < tiles.rows; row++) {
    for (let column = 0; column < tiles.columns; column++) {
      options.signal?.throwIfAborted();
      const labels = tiles.tile(column, row);
      // A strip ends with the image.
      const used = tiled ? labels : labels.subarray(0, Math.min(rows, height - row * rows) * width);
      parts.push(await compress(littleEndian(used)));
    }
  }
  const layout = { width, height, bits } as const;
  const { description, resolution } = describe(layout, { name, pixelSize });
  const tags: TiffTag[] = [
    { tag: 256, type: 'long', values: [width] },
    { tag: 257, type: 'long', values: [height] },
    { tag: 258, type: 'short', values: [bits] },
    // Deflate; black is zero; one unsigned sample per pixel.
    { tag: 259, type: 'short', values: [8] },
    { tag: 262, type: 'short', values: [1] },
    { tag: 270, type: 'ascii', text: description },
    { tag: 277, type: 'short', values: [1] },
    ...(resolution
      ? ([
          { tag: 282, type: 'rational', values: [resolution.perUnit] },
          { tag: 283, type: 'rational', values: [resolution.perUnit] },
          { tag: 296, type: 'short', values: [resolution.unit] },
        ] as const)
      : []),
    { tag: 305, type: 'ascii', text: 'cellroute' },
    ...(tiled
      ? ([
          { tag: 322, type: 'long', values: [TILE] },
          { tag: 323, type: 'long', values: [TILE] },
        ] as const)
      : ([{ tag: 278, type: 'long', values: [rows] }] as const)),
    { tag: 339, type: 'short', values: [1] },
  ];
  const sizes = parts.map(({ length }) => length);
  yield tiffHead(tags, tiled ? { offsets: 324, sizes: 325 } : { offsets: 273, sizes: 279 }, sizes);
  yield* parts;
}

function littleEndian(labels: Uint16Array | Uint32Array): Buffer {
  return Buffer.from(labels.buffer, labels.byteOffset, labels.byteLength);
}
