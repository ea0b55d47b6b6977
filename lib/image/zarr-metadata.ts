import { CellrouteError } from '../errors.js';
import { squareSize } from './tiff/pixel-size.js';

/** Axes of OME-Zarr images that are read. */
export type ZarrAxis = 't' | 'c' | 'z' | 'y' | 'x';

/** Metadata of an OME-Zarr image. */
export interface Multiscale {
  axes: readonly ZarrAxis[];
  /** Paths of the arrays, the largest first. */
  paths: readonly string[];
  /** Micrometres per pixel of the first array; undefined if it is missing or pixels are not square. */
  pixelSize: number | undefined;
  channelNames: readonly string[];
}

/** Micrometres per unit of length, by UDUNITS-2's names. */
const MICROMETRES: Readonly<Record<string, number>> = {
  meter: 1e6,
  centimeter: 1e4,
  millimeter: 1e3,
  micrometer: 1,
  nanometer: 1e-3,
  angstrom: 1e-4,
};

const MAX_LEVELS = 64;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isObject) : [];

/**
 * The first image of a group's attributes, by version 0.4 (`multiscales`) or 0.5 (`ome.multiscales`).
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED for a plate, a collection or other axes; IMAGE_UNREADABLE for metadata that
 *   contradict themselves.
 */
export function readMultiscale(attributes: unknown, where: string): Multiscale {
  const all = isObject(attributes) ? attributes : {};
  const ome = isObject(all.ome) ? all.ome : all;
  const [first] = listOf(ome.multiscales);
  if (!first) {
    const what = isObject(ome.plate)
      ? 'a plate; open one of its images, such as A/1/0 below it'
      : 'no image: its attributes have no multiscales';
    throw new CellrouteError('IMAGE_UNSUPPORTED', `${where} is ${what}`, {
      file: where,
      expected: 'an OME-Zarr image',
    });
  }
  const described = Array.isArray(first.axes) ? (first.axes as unknown[]) : [];
  const axes = described.map((axis) => (isObject(axis) ? axis.name : axis));
  const known = (axis: unknown): axis is ZarrAxis => typeof axis === 'string' && /^[tczyx]$/.test(axis);
  if (
    !axes.every(known) ||
    new Set(axes).size !== axes.length ||
    !axes.includes('x') ||
    !axes.includes('y')
  ) {
    throw new CellrouteError(
      'IMAGE_UNSUPPORTED',
      `The OME-Zarr image cannot be used: its axes are ${axes.map(String).join(', ') || 'not stated'}; t, c, z, y and x are read`,
      { file: where, expected: 'axes t, c, z, y, x', got: axes.map(String).join(', ') },
    );
  }
  const datasets = listOf(first.datasets);
  const paths = datasets.map(({ path }) => path);
  if (paths.length === 0 || paths.length > MAX_LEVELS || !paths.every((path) => typeof path === 'string')) {
    throw new CellrouteError('IMAGE_UNREADABLE', 'The OME-Zarr image cannot be read: it names no arrays', {
      file: where,
      got: `${paths.length} arrays`,
    });
  }
  const omero = isObject(ome.omero) ? ome.omero : isObject(all.omero) ? all.omero : {};
  const scales = [first, datasets[0]!].map((one) => scaleOf(one, axes.length));
  const side = (axis: 'x' | 'y') => {
    const i = axes.indexOf(axis);
    const unit = isObject(described[i]) ? described[i].unit : undefined;
    const micrometres = typeof unit === 'string' ? MICROMETRES[unit] : undefined;
    // Without any scale the numbers are pixels.
    if (micrometres === undefined || scales.every((scale) => scale === undefined)) return Number.NaN;
    return scales.reduce((size, scale) => size * (scale?.[i] ?? 1), micrometres);
  };
  return {
    axes,
    paths: paths as string[],
    pixelSize: squareSize(side('x'), side('y')),
    channelNames: listOf(omero.channels).map(({ label }) => (typeof label === 'string' ? label : '')),
  };
}

function scaleOf({ coordinateTransformations }: Record<string, unknown>, axes: number): number[] | undefined {
  const found = listOf(coordinateTransformations).find(({ type }) => type === 'scale')?.scale;
  const isScale =
    Array.isArray(found) &&
    found.length === axes &&
    found.every((value) => typeof value === 'number' && Number.isFinite(value) && value > 0);
  return isScale ? (found as number[]) : undefined;
}
