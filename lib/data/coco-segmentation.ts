import { CellrouteError } from '../errors.js';
import { type ImageSize, Masks } from '../mask/masks.js';

/** The mask of an annotation's `segmentation` in any of COCO's three forms, or why it is none. */
export function readSegmentation(value: unknown, size: ImageSize): Masks | { reason: string } {
  try {
    const masks = read(value, size);
    if ('reason' in masks || masks.areas()[0]! > 0) return masks;
    return { reason: 'it covers no pixel' };
  } catch (error) {
    if (!(error instanceof CellrouteError)) throw error;
    return { reason: error.message.replace(/^Mask 0: /, '').replaceAll('masks[0]', 'polygon ') };
  }
}

function read(value: unknown, size: ImageSize): Masks | { reason: string } {
  if (Array.isArray(value)) {
    if (value.length === 0) return { reason: 'it has no polygons' };
    return Masks.fromPolygons([value as number[][]], size);
  }
  if (typeof value !== 'object' || value === null) {
    return { reason: 'it is neither a list of polygons nor run lengths' };
  }
  const { size: own, counts } = value as { size?: unknown; counts?: unknown };
  if (!Array.isArray(own) || own.length !== 2 || own[0] !== size.height || own[1] !== size.width) {
    return { reason: `its size is not [${size.height}, ${size.width}], the image's height and width` };
  }
  if (typeof counts === 'string') return Masks.fromCoco([counts], size);
  if (Array.isArray(counts)) return Masks.fromCounts([counts as number[]], size);
  return { reason: 'its counts are neither a string nor a list' };
}
