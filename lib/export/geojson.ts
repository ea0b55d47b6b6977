import { checkKeys, checkObject, checkOneOf, checkString, refuse } from '../check.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Polygon } from '../mask/contours.js';
import { measuredColumns } from '../measure/columns.js';
import type { Measurements } from '../measure/measure.js';
import { cellBlocks } from './blocks.js';
import { type CellClass, cellClasses } from './cell-class.js';
import { checkResult } from './named.js';
import { outlinesOf } from './outlines.js';
import { shortest } from './text.js';
import { cellId } from './uuid.js';

/** Options of {@link quPathGeoJson}. */
export interface GeoJsonOptions {
  /** Type of the features in QuPath. Default `detection`, the type that QuPath's own detectors of nuclei create. */
  objectType?: 'detection' | 'cell' | undefined;
  /** Measurements of this result, made by `measure`: written in µm if they have a pixel size, otherwise in px. */
  measurements?: Measurements | undefined;
  /** Name of the image, which the ids of the cells depend on. Default: the name in the result. */
  name?: string | undefined;
}

/**
 * The cells of an image as GeoJSON that QuPath 0.4 and later imports: a FeatureCollection with a feature per cell.
 *
 * - `geometry`: the outline along the sides of the pixels, with holes and parts; coordinates are whole pixels, and for
 *   a reduced level of a slide pixels of its full resolution.
 *   `plane` names z and t where the image's file has these axes.
 * - `id`: a UUID of version 5, which is the same whenever the same cell of the same image is written.
 * - `properties`: `objectType`, `classification` with a name and a colour, and `measurements`.
 *
 * Cells without pixels have no outline and are skipped.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function quPathGeoJson(
  result: Segmentation | RoutedSegmentation,
  options: GeoJsonOptions = {},
): string {
  return [...pieces(result, options)].join('');
}

/**
 * {@link quPathGeoJson} in pieces of text: the outlines of no more than a block of cells are in memory.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, when the iteration starts.
 */
export async function* streamQuPathGeoJson(
  result: Segmentation | RoutedSegmentation,
  options: GeoJsonOptions = {},
): AsyncGenerator<string, void, undefined> {
  yield* pieces(result, options);
}

interface Feature {
  type: 'Feature';
  id: string;
  geometry: {
    type: 'Polygon' | 'MultiPolygon';
    coordinates: Polygon | Polygon[];
    plane?: Plane;
  };
  properties: {
    objectType: 'detection' | 'cell';
    classification: { name: string; color: CellClass['colour'] };
    measurements: Record<string, number>;
  };
}

interface Plane {
  /** -1 stands for all channels: a cell belongs to none of them, and QuPath joins only objects of one plane. */
  c: -1;
  z: number;
  t: number;
}

function* pieces(
  result: Segmentation | RoutedSegmentation,
  options: GeoJsonOptions,
): Generator<string, void, undefined> {
  checkResult('result', result);
  checkKeys('', checkObject('options', options), ['objectType', 'measurements', 'name']);
  const { measurements } = options;
  const objectType = checkOneOf('objectType', options.objectType ?? 'detection', ['detection', 'cell']);
  const name = checkString('name', options.name ?? result.name ?? 'image');
  if (measurements && measurements.length !== result.cells.length) {
    throw refuse('measurements', `measurements of the ${result.cells.length} cells`, measurements.length);
  }
  // QuPath computes positions from the outline.
  const columns = measurements
    ? measuredColumns(measurements, 'qupath').filter((column) => !column.name.startsWith('Centroid'))
    : [];
  const classOf = cellClasses(result);
  const outlines = outlinesOf(result);
  const plane = planeOf(result);
  let separator = '\n';
  yield '{"type":"FeatureCollection","features":[';
  for (const { cells, masks } of cellBlocks(result.cells)) {
    const contours = masks.contours();
    const counts = masks.toCoco();
    const texts: string[] = [];
    for (const [i, cell] of cells.entries()) {
      const polygons = outlines(contours, i);
      if (polygons.length === 0) continue;
      const { name: className, colour } = classOf(cell);
      const values = columns.map((column) => [column.name, rounded(column.value(cell.index))] as const);
      const feature: Feature = {
        type: 'Feature',
        id: cellId(name, cell.index, counts[i]!),
        geometry: {
          ...(polygons.length === 1
            ? { type: 'Polygon', coordinates: polygons[0]! }
            : { type: 'MultiPolygon', coordinates: polygons }),
          ...(plane && { plane }),
        },
        properties: {
          objectType,
          classification: { name: className, color: colour },
          // JSON has no NaN, and QuPath takes a missing measurement for one.
          measurements: Object.fromEntries([
            ['Score', shortest(cell.score)],
            ...values.filter(([, value]) => Number.isFinite(value)),
          ]),
        },
      };
      texts.push(`${separator}${JSON.stringify(feature)}`);
      separator = ',\n';
    }
    yield texts.join('');
  }
  yield '\n]}\n';
}

/** Float32 has no more digits, and QuPath reads the whole file into memory. */
const rounded = (value: number): number => Number(value.toPrecision(7));

/** Where the file has these axes. */
function planeOf({ source }: Segmentation): Plane | undefined {
  if (source?.z === undefined && source?.t === undefined) return undefined;
  return { c: -1, z: source.z ?? 0, t: source.t ?? 0 };
}
