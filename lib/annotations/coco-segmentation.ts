import { describe } from '../check.js';
import { type ImageSize, Masks } from '../mask/masks.js';
import { decodeMasks } from './decode-masks.js';

/** A mask and notices about skipped parts, or the reason why it is invalid. */
export type Segmentation = { counts: string; notices: string[] } | { reason: string };

/**
 * Converts a `segmentation` in any of COCO's three formats to COCO's compressed string. A compressed string of the right
 * size is not decoded. Invalid polygons of a cell are skipped if others are valid.
 */
export function readSegmentation(value: unknown, size: ImageSize): Segmentation {
  if (Array.isArray(value)) return readPolygons(value, size);
  if (typeof value !== 'object' || value === null) {
    return { reason: 'it is neither a list of polygons nor run lengths' };
  }
  const { size: own, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(own) || own.length !== 2 || own[0] !== size.height || own[1] !== size.width) {
    return { reason: `its size is not [${size.height}, ${size.width}], the image's height and width` };
  }
  if (typeof counts === 'string') return { counts, notices: [] };
  if (!Array.isArray(counts)) return { reason: 'its counts are neither a string nor a list' };
  return toCounts(decodeMasks([counts], (all) => Masks.fromCounts(all as number[][], size)));
}

function readPolygons(polygons: readonly unknown[], size: ImageSize): Segmentation {
  if (polygons.length === 0) return { reason: 'it has no polygons' };
  const whole = decodePolygons(polygons, size);
  const notices = 'counts' in whole ? placeNotices(polygons as number[][], size) : [];
  if ('counts' in whole && notices.includes(NORMALISED)) return { reason: NORMALISED };
  if ('counts' in whole) return { ...whole, notices };
  if (polygons.length === 1) return whole;
  const valid = polygons.filter((polygon, i) => {
    const one = decodePolygons([polygon], size);
    if ('reason' in one) notices.push(`polygon ${i}: ${one.reason}; skipped`);
    return 'counts' in one;
  });
  // Either all are invalid, or each is valid and only their union is too large.
  if (valid.length === 0 || valid.length === polygons.length) return whole;
  const rest = decodePolygons(valid, size);
  return 'reason' in rest ? rest : { ...rest, notices };
}

/** Allowed distance outside the image in pixels, because annotation tools round or use pixel centres. */
const OUTSIDE = 1;
const NORMALISED = "all of its coordinates are from 0 to 1, but COCO's are in pixels";

/** Detects polygons in another coordinate system by their position. They would be clipped without an error. */
function placeNotices(polygons: readonly (readonly number[])[], { width, height }: ImageSize): string[] {
  let [min, max, beyond] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const polygon of polygons) {
    for (const [i, value] of polygon.entries()) {
      min = Math.min(min, value);
      max = Math.max(max, value);
      beyond = Math.max(beyond, -value, value - (i % 2 === 0 ? width : height));
    }
  }
  if (min >= 0 && max <= 1) return [NORMALISED];
  return beyond > OUTSIDE
    ? [`it reaches ${Math.ceil(beyond)} pixels beyond the image, which are cut off`]
    : [];
}

function decodePolygons(polygons: readonly unknown[], size: ImageSize): Segmentation {
  const invalid = polygons.map(invalidPolygon).find((reason) => reason !== undefined);
  if (invalid !== undefined) return { reason: invalid };
  return toCounts(decodeMasks([polygons], (all) => Masks.fromPolygons(all as number[][][], size)));
}

/** Why a value is not a list of numbers; undefined if it is one. */
function invalidPolygon(polygon: unknown): string | undefined {
  if (!Array.isArray(polygon)) return `a polygon is ${describe(polygon)}, not a list of coordinates`;
  const at = polygon.findIndex((value) => typeof value !== 'number');
  return at < 0 ? undefined : `value ${at} of a polygon is ${describe(polygon[at])}, not a number`;
}

function toCounts({ masks, failures }: ReturnType<typeof decodeMasks>): Segmentation {
  const reason = failures.get(0);
  return reason === undefined ? { counts: masks.toCoco()[0]!, notices: [] } : { reason };
}
