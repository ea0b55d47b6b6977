import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Polygon, Ring } from '../mask/contours.js';
import { storedZip, type ZipContent } from '../weights/stored-zip.js';
import { cellBlocks } from './blocks.js';
import { cellClasses } from './cell-class.js';
import { checkResult } from './named.js';
import { outlinesOf } from './outlines.js';
import type { Colour } from './palette.js';

/** Offsets and values of ImageJ's ROI format (ij.io.RoiDecoder). */
const HEADER = 64;
const HEADER2 = 64;
const VERSION = 228;
const POLYGON = 0;
const RECTANGLE = 1;
const SUB_PIXEL = 128;
/** Corners of one ring; more are written as a composite. */
const MAX_CORNERS = 65_535;
/** Segments of a composite's path. */
const MOVE = 0;
const LINE = 1;
const CLOSE = 4;

/**
 * The cells of an image as a zip of ImageJ ROIs, which the ROI Manager opens: one per cell, named `1-astro`, in the colour
 * of its type. Piece by piece; no more than a block of cells is in memory.
 *
 * Outlines run along the sides of the pixels, in pixels of the full resolution of a slide. Coordinates are 32-bit floats, as
 * ImageJ's integers end at 32,767. A cell with holes or several parts is a composite. The position is the plane and time point
 * of the file, where it has these axes, or its page. Cells without pixels are skipped.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export async function* imageJRois(
  result: Segmentation | RoutedSegmentation,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* storedZip(rois(result));
}

async function* rois(result: Segmentation | RoutedSegmentation): AsyncGenerator<ZipContent, void, undefined> {
  checkResult('result', result);
  const classOf = cellClasses(result);
  const outlines = outlinesOf(result);
  const position = positionOf(result);
  // With zeros in front, so that programs that sort by name keep the order.
  const digits = String(result.cells.length).length;
  for (const { cells, masks } of cellBlocks(result.cells)) {
    const contours = masks.contours();
    for (const [i, cell] of cells.entries()) {
      const polygons = outlines(contours, i);
      if (polygons.length === 0) continue;
      const { name: className, colour } = classOf(cell);
      const name = `${String(cell.index + 1).padStart(digits, '0')}-${className}`;
      yield {
        // The ROI Manager takes the entry's name, which must not look like a path.
        name: `${name.replaceAll(/[/\\:]/g, '_')}.roi`,
        bytes: roiOf(polygons, { name, colour, position }),
      };
    }
  }
}

/** Where a ROI is shown, from 1; 0 stands for everywhere. */
interface Position {
  /** Position in a stack without axes. */
  slice: number;
  z: number;
  t: number;
}

function positionOf({ source }: Segmentation): Position {
  const nowhere = { slice: 0, z: 0, t: 0 };
  if (!source) return nowhere;
  const { z, t, sizes, pages, page, channelPages } = source;
  if (sizes.z * sizes.t > 1) return { slice: 0, z: (z ?? 0) + 1, t: (t ?? 0) + 1 };
  const index = pages.indexOf(page);
  return channelPages || pages.length <= 1 || index < 0 ? nowhere : { ...nowhere, slice: index + 1 };
}

interface RoiProperties {
  name: string;
  colour: Colour;
  position: Position;
}

function roiOf(polygons: readonly Polygon[], properties: RoiProperties): Buffer {
  const [first] = polygons as [Polygon];
  const isSimple = polygons.length === 1 && first.length === 1 && first[0].length - 1 <= MAX_CORNERS;
  const shape = isSimple ? polygonCoordinates(first[0]) : compositePath(polygons);
  const name = Buffer.from(properties.name, 'utf16le').swap16();
  const header2 = HEADER + shape.length;
  const roi = Buffer.alloc(header2 + HEADER2 + name.length);
  roi.write('Iout', 0, 'latin1');
  roi.writeInt16BE(VERSION, 4);
  roi.writeUInt8(isSimple ? POLYGON : RECTANGLE, 6);
  const [left, top, right, bottom] = boundsOf(polygons);
  // Readers take the bounds of a polygon from its coordinates; these end at 16 bits.
  [top, left, bottom, right].forEach((side, i) => {
    roi.writeUInt16BE(side & 0xffff, 8 + 2 * i);
  });
  if (isSimple) {
    roi.writeUInt16BE(first[0].length - 1, 16);
    roi.writeUInt16BE(SUB_PIXEL, 50);
  } else {
    roi.writeInt32BE(shape.length / 4, 36);
  }
  const [red, green, blue] = properties.colour;
  roi.writeUInt32BE(0xff000000 + red * 0x10000 + green * 0x100 + blue, 40);
  const { slice, z, t } = properties.position;
  roi.writeInt32BE(slice, 56);
  roi.writeInt32BE(header2, 60);
  shape.copy(roi, HEADER);
  roi.writeInt32BE(z, header2 + 8);
  roi.writeInt32BE(t, header2 + 12);
  roi.writeInt32BE(header2 + HEADER2, header2 + 16);
  roi.writeInt32BE(name.length / 2, header2 + 20);
  name.copy(roi, header2 + HEADER2);
  return roi;
}

function boundsOf(polygons: readonly Polygon[]): [number, number, number, number] {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [outer] of polygons) {
    for (const [x, y] of outer) {
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
    }
  }
  return [left, top, right, bottom];
}

/** The corners but the last, which is the first: as integers from the bounds, and as floats. */
function polygonCoordinates(ring: Ring): Buffer {
  const count = ring.length - 1;
  const [left, top] = boundsOf([[ring]]);
  const bytes = Buffer.alloc(12 * count);
  for (let i = 0; i < count; i++) {
    const [x, y] = ring[i]!;
    bytes.writeUInt16BE((x - left) & 0xffff, 2 * i);
    bytes.writeUInt16BE((y - top) & 0xffff, 2 * (count + i));
    bytes.writeFloatBE(x, 4 * (count + i));
    bytes.writeFloatBE(y, 4 * (2 * count + i));
  }
  return bytes;
}

function compositePath(polygons: readonly Polygon[]): Buffer {
  const path: number[] = [];
  for (const ring of polygons.flat()) {
    for (let i = 0; i < ring.length - 1; i++) path.push(i === 0 ? MOVE : LINE, ...ring[i]!);
    path.push(CLOSE);
  }
  const bytes = Buffer.alloc(4 * path.length);
  for (const [i, value] of path.entries()) bytes.writeFloatBE(value, 4 * i);
  return bytes;
}
