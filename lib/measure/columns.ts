import { checkOneOf } from '../check.js';
import type { ChannelMeasurements } from './intensities.js';
import type { Measurements, ShapeMeasurements } from './measure.js';

/** Program whose column names a table of measurements uses. */
export type ColumnNames = 'skimage' | 'qupath' | 'cellprofiler';

export const COLUMN_NAMES: readonly ColumnNames[] = ['skimage', 'qupath', 'cellprofiler'];

/** One column of a table of measurements. */
export interface MeasuredColumn {
  name: string;
  /** NaN where there is no value. */
  value(cell: number): number;
  /** Whether every value is a whole number. */
  integer: boolean;
}

/** Name of a quantity in each program, and its unit in pixels. */
interface Quantity {
  key: keyof ShapeMeasurements;
  skimage: string;
  /** `{}` is the unit, px or µm. Without a name, the program has no such column. */
  qupath?: string;
  cellprofiler?: string;
  /** 1 for a length, 2 for an area. */
  power?: 1 | 2;
  integer?: true;
}

const QUANTITIES: readonly Quantity[] = [
  {
    key: 'area',
    skimage: 'area',
    qupath: 'Area {}^2',
    cellprofiler: 'AreaShape_Area',
    power: 2,
    integer: true,
  },
  {
    key: 'perimeter',
    skimage: 'perimeter',
    qupath: 'Length {}',
    cellprofiler: 'AreaShape_Perimeter',
    power: 1,
  },
  {
    key: 'centroidY',
    skimage: 'centroid-0',
    cellprofiler: 'AreaShape_Center_Y',
    power: 1,
  },
  {
    key: 'centroidX',
    skimage: 'centroid-1',
    cellprofiler: 'AreaShape_Center_X',
    power: 1,
  },
  {
    key: 'top',
    skimage: 'bbox-0',
    cellprofiler: 'AreaShape_BoundingBoxMinimum_Y',
    power: 1,
    integer: true,
  },
  {
    key: 'left',
    skimage: 'bbox-1',
    cellprofiler: 'AreaShape_BoundingBoxMinimum_X',
    power: 1,
    integer: true,
  },
  {
    key: 'bottom',
    skimage: 'bbox-2',
    cellprofiler: 'AreaShape_BoundingBoxMaximum_Y',
    power: 1,
    integer: true,
  },
  {
    key: 'right',
    skimage: 'bbox-3',
    cellprofiler: 'AreaShape_BoundingBoxMaximum_X',
    power: 1,
    integer: true,
  },
  {
    key: 'majorAxis',
    skimage: 'axis_major_length',
    qupath: 'Major axis {}',
    cellprofiler: 'AreaShape_MajorAxisLength',
    power: 1,
  },
  {
    key: 'minorAxis',
    skimage: 'axis_minor_length',
    qupath: 'Minor axis {}',
    cellprofiler: 'AreaShape_MinorAxisLength',
    power: 1,
  },
  {
    key: 'eccentricity',
    skimage: 'eccentricity',
    qupath: 'Eccentricity',
    cellprofiler: 'AreaShape_Eccentricity',
  },
  {
    key: 'orientation',
    skimage: 'orientation',
    qupath: 'Orientation',
    cellprofiler: 'AreaShape_Orientation',
  },
  {
    key: 'convexArea',
    skimage: 'area_convex',
    cellprofiler: 'AreaShape_ConvexArea',
    power: 2,
    integer: true,
  },
  { key: 'solidity', skimage: 'solidity', qupath: 'Solidity', cellprofiler: 'AreaShape_Solidity' },
  { key: 'circularity', skimage: 'circularity', qupath: 'Circularity', cellprofiler: 'AreaShape_FormFactor' },
  {
    key: 'feretMax',
    skimage: 'feret_diameter_max',
    qupath: 'Max diameter {}',
    cellprofiler: 'AreaShape_MaxFeretDiameter',
    power: 1,
  },
  {
    key: 'feretMin',
    skimage: 'feret_diameter_min',
    qupath: 'Min diameter {}',
    cellprofiler: 'AreaShape_MinFeretDiameter',
    power: 1,
  },
  {
    key: 'touchesBorder',
    skimage: 'touches_border',
    qupath: 'Touches border',
    cellprofiler: 'AreaShape_TouchesBorder',
    integer: true,
  },
  {
    key: 'neighbors',
    skimage: 'neighbors',
    qupath: 'Num neighbors',
    cellprofiler: 'Neighbors_NumberOfNeighbors_Adjacent',
    integer: true,
  },
];

type Statistic = Exclude<keyof ChannelMeasurements, 'name'>;

const STATISTICS: Readonly<Record<Statistic, Record<ColumnNames, string>>> = {
  mean: { skimage: 'intensity_mean', qupath: 'Mean', cellprofiler: 'MeanIntensity' },
  min: { skimage: 'intensity_min', qupath: 'Min', cellprofiler: 'MinIntensity' },
  max: { skimage: 'intensity_max', qupath: 'Max', cellprofiler: 'MaxIntensity' },
  deviation: { skimage: 'intensity_std', qupath: 'Std.Dev.', cellprofiler: 'StdIntensity' },
  sum: { skimage: 'intensity_sum', qupath: 'Sum', cellprofiler: 'IntegratedIntensity' },
};

/** @throws {CellrouteError} INVALID_ARGUMENT */
export const checkColumnNames = (names: unknown): ColumnNames =>
  checkOneOf('columns', names ?? 'skimage', COLUMN_NAMES);

/**
 * The measurements as columns with these names.
 *
 * - `skimage`: the names of `regionprops_table`, in pixels; with a pixel size, lengths and areas follow once more in
 *   micrometres (`area_um2`, `perimeter_um`).
 * - `qupath`: in micrometres with a pixel size, otherwise in pixels. Positions are measured from the corner of the first
 *   pixel.
 * - `cellprofiler`: in pixels, the orientation in degrees.
 */
export function measuredColumns(measurements: Measurements, names: ColumnNames): MeasuredColumn[] {
  return [...shapeColumns(measurements, names), ...intensityColumns(measurements, names)];
}

function shapeColumns({ shapes, pixelSize }: Measurements, names: ColumnNames): MeasuredColumn[] {
  if (names === 'qupath') return quPathShapes(shapes, pixelSize);
  const columns = QUANTITIES.flatMap(({ key, integer = false, ...quantity }) => {
    const name = quantity[names];
    const factor = names === 'cellprofiler' && key === 'orientation' ? 180 / Math.PI : 1;
    const values = shapes[key];
    return name === undefined ? [] : [{ name, integer, value: (cell: number) => factor * values[cell]! }];
  });
  if (names !== 'skimage' || pixelSize === undefined) return columns;
  const scaled = QUANTITIES.flatMap(({ key, skimage, power }) => {
    if (power === undefined) return [];
    const values = shapes[key];
    const factor = pixelSize ** power;
    const name = `${skimage}_um${power === 2 ? '2' : ''}`;
    return [{ name, integer: false, value: (cell: number) => factor * values[cell]! }];
  });
  return [...columns, ...scaled];
}

function quPathShapes(shapes: ShapeMeasurements, pixelSize: number | undefined): MeasuredColumn[] {
  const unit = pixelSize === undefined ? 'px' : 'µm';
  const size = pixelSize ?? 1;
  const positions = (['X', 'Y'] as const).map((axis) => ({
    name: `Centroid ${axis} ${unit}`,
    integer: false,
    value: (cell: number) => (shapes[`centroid${axis}`][cell]! + 0.5) * size,
  }));
  const others = QUANTITIES.flatMap(({ key, qupath, power = 0, integer = false }) => {
    if (qupath === undefined) return [];
    const factor = size ** power;
    const values = shapes[key];
    const name = qupath.replace('{}', unit);
    return [{ name, integer: integer && factor === 1, value: (cell: number) => factor * values[cell]! }];
  });
  return [...positions, ...others];
}

function intensityColumns({ channels }: Measurements, names: ColumnNames): MeasuredColumn[] {
  return channels.flatMap((channel, i) =>
    (Object.keys(STATISTICS) as Statistic[]).map((key) => ({
      name: intensityName(names, STATISTICS[key][names], channel.name, i, channels.length),
      integer: false,
      value: (cell: number) => channel[key][cell]!,
    })),
  );
}

function intensityName(
  names: ColumnNames,
  statistic: string,
  channel: string,
  index: number,
  count: number,
): string {
  if (names === 'qupath') return `${channel}: ${statistic}`;
  if (names === 'cellprofiler') return `Intensity_${statistic}_${channel.replaceAll(/\W+/g, '')}`;
  // regionprops_table numbers the channels of an image that has several.
  return count === 1 ? statistic : `${statistic}-${index}`;
}
