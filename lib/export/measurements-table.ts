import { checkKeys, checkObject, checkString, refuse } from '../check.js';
import type { Cell } from '../inference/cells.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import {
  type ColumnNames,
  checkColumnNames,
  type MeasuredColumn,
  measuredColumns,
} from '../measure/columns.js';
import type { Measurements } from '../measure/measure.js';
import { cellBlocks } from './blocks.js';
import { type CellClass, cellClasses } from './cell-class.js';
import { checkResult } from './named.js';
import { shortest } from './text.js';
import { cellId } from './uuid.js';

/** Options of {@link measurementsCsv} and {@link measurementsParquet}. */
export interface MeasurementsTableOptions {
  /** Whose column names the table has. Default `skimage`. */
  columns?: ColumnNames | undefined;
  /** Name of the image, in a separate column. Default: the name in the result. */
  name?: string | undefined;
}

/** Values of the first columns of a row. */
export interface MeasurementsRow {
  image: string;
  cell: Cell;
  cellClass: CellClass;
  /** The mask in COCO's compressed form; empty where no column needs it. */
  counts: string;
}

/** A column that identifies the cell of a row. */
interface IdentityColumn {
  name: string;
  type: 'STRING' | 'INT32' | 'DOUBLE';
  of(row: MeasurementsRow): string | number;
}

const image = (name: string): IdentityColumn => ({ name, type: 'STRING', of: (row) => row.image });
const number = (name: string): IdentityColumn => ({ name, type: 'INT32', of: ({ cell }) => cell.index + 1 });
const cellClass = (name: string): IdentityColumn => ({
  name,
  type: 'STRING',
  of: (row) => row.cellClass.name,
});
const score = (name: string): IdentityColumn => ({
  name,
  type: 'DOUBLE',
  of: ({ cell }) => shortest(cell.score),
});

const IDENTITY: Readonly<Record<ColumnNames, readonly IdentityColumn[]>> = {
  skimage: [image('image'), number('label'), cellClass('class'), score('score')],
  qupath: [
    image('Image'),
    {
      name: 'Object ID',
      type: 'STRING',
      of: (row) => cellId(row.image, row.cell.index, row.counts),
    },
    cellClass('Classification'),
    score('Score'),
  ],
  cellprofiler: [
    // A table belongs to one image, which the name of the file identifies.
    { name: 'ImageNumber', type: 'INT32', of: () => 1 },
    number('ObjectNumber'),
    image('FileName'),
    cellClass('Class'),
    score('Score'),
  ],
};

/** A table with a row per cell, in the order of the result. */
export interface MeasurementsTable {
  texts: readonly IdentityColumn[];
  numbers: readonly MeasuredColumn[];
  /** The rows in blocks. */
  blocks(): Generator<MeasurementsRow[], void, undefined>;
}

/** @throws {CellrouteError} INVALID_ARGUMENT */
export function measurementsTable(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions,
): MeasurementsTable {
  checkResult('result', result);
  checkKeys('', checkObject('options', options), ['columns', 'name']);
  const names = checkColumnNames(options.columns);
  const name = checkString('name', options.name ?? result.name ?? 'image');
  if (checkObject('measurements', measurements).length !== result.cells.length) {
    throw refuse('measurements', `measurements of the ${result.cells.length} cells`, measurements.length);
  }
  const classOf = cellClasses(result);
  return {
    texts: IDENTITY[names],
    numbers: measuredColumns(measurements, names),
    *blocks() {
      for (const { cells, masks } of cellBlocks(result.cells)) {
        const counts = names === 'qupath' ? masks.toCoco() : [];
        yield cells.map((cell, i) => ({
          image: name,
          cell,
          cellClass: classOf(cell),
          counts: counts[i] ?? '',
        }));
      }
    },
  };
}
